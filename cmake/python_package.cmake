# Where nybble.core goes: into the wheel, or into build/python/nybble beside links to the Python
# sources, so that build/python on sys.path is the package as a person installs it.

if(SKBUILD)
  install(TARGETS core DESTINATION nybble)
  return()
endif()

set(staged ${PROJECT_BINARY_DIR}/python/nybble)
set_target_properties(core PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${staged})

# Links for the top level only: what is added inside a folder appears by itself, and `./dev`
# configures again when the top level changes.
file(GLOB entries ${PROJECT_SOURCE_DIR}/python/nybble/*)
file(MAKE_DIRECTORY ${staged})
file(GLOB stale_links ${staged}/*)
list(FILTER stale_links EXCLUDE REGEX "/core\\.[^/]*$")
if(stale_links)
  file(REMOVE ${stale_links})
endif()
foreach(entry IN LISTS entries)
  cmake_path(GET entry FILENAME name)
  if(NOT name STREQUAL "__pycache__")
    file(CREATE_LINK ${entry} ${staged}/${name} SYMBOLIC)
  endif()
endforeach()
