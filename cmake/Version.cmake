# generated/mtad_version.h: MTAD_VERSION and MTAD_BUILD_ID.
#
# The file is looked at in each build but written only when it would change,
# and only the few files that include it are compiled again.  A debug build
# has a constant id: who rebuilds one daemon wants it to talk to the others.
set(MTAD_GENERATED ${CMAKE_BINARY_DIR}/generated)
add_custom_target(mtad_version
	COMMAND ${CMAKE_COMMAND}
	    -DVERSION=${PROJECT_VERSION} -DTYPE=${CMAKE_BUILD_TYPE}
	    -DSOURCE=${CMAKE_SOURCE_DIR}
	    -DOUTPUT=${MTAD_GENERATED}/mtad_version.h
	    -P ${CMAKE_SOURCE_DIR}/cmake/WriteVersion.cmake
	BYPRODUCTS ${MTAD_GENERATED}/mtad_version.h
	COMMENT "Looking at the version" VERBATIM)
