"""Settings of all tests: the same examples in every run, and no limit on slow machines."""

import hypothesis

hypothesis.settings.register_profile(
    "nybble",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("nybble")
