# Run at build time by the target mtad_version, see Version.cmake.
set(id "")
if(NOT TYPE STREQUAL "Release")
	set(id "${VERSION}-debug")
elseif(EXISTS ${SOURCE}/.git)
	execute_process(COMMAND git describe --tags --always --dirty
		WORKING_DIRECTORY ${SOURCE} OUTPUT_VARIABLE id
		OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
	if(id AND NOT id MATCHES "^v?${VERSION}")
		set(id "${VERSION}-${id}")
	endif()
endif()
if(NOT id)
	set(id "${VERSION}")
endif()

set(text "/* Written by cmake/WriteVersion.cmake. */
#ifndef MTAD_VERSION_H
#define MTAD_VERSION_H

#define MTAD_VERSION \"${VERSION}\"
#define MTAD_BUILD_ID \"${id}\"

#endif
")
set(old "")
if(EXISTS ${OUTPUT})
	file(READ ${OUTPUT} old)
endif()
if(NOT text STREQUAL old)
	file(WRITE ${OUTPUT} "${text}")
endif()
