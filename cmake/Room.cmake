# A room is a folder that becomes a static library.  Its CMakeLists.txt says
#
#   mtad_room(NAME common_base SOURCES span.c ... [LINK rooms] [LIBS ev ...])
#   mtad_program(NAME smtpd SOURCES main.c ... [LINK rooms] [LIBS ...])
#   mtad_test(NAME base_wire ROOM common_base SOURCES test.c ... [LINK ...])
#   mtad_fuzz(NAME smtp_command [SOURCES ...] LINK rooms)
#   mtad_system_test(NAME restart SCRIPT test_restart.py [ARGS ...])
#
# LINK names rooms, LIBS outside libraries of cmake/Libraries.cmake (or
# `threads`, `m`, `crypt`); the latter stay private to the room, so that
# nobody else can include their headers by accident.

function(mtad_target_setup TARGET)
	target_include_directories(${TARGET} PRIVATE ${CMAKE_SOURCE_DIR}
		${MTAD_GENERATED})
	target_compile_options(${TARGET} PRIVATE ${MTAD_WARNINGS} ${ARGN})
	target_link_libraries(${TARGET} PRIVATE mtad_codegen)
	add_dependencies(${TARGET} mtad_version)
endfunction()

function(mtad_link_libs TARGET)
	foreach(lib IN LISTS ARGN)
		if(lib STREQUAL "threads")
			set(lib Threads::Threads)
		elseif(TARGET mtad::${lib})
			set(lib mtad::${lib})
		endif()
		target_link_libraries(${TARGET} PRIVATE ${lib})
	endforeach()
endfunction()

# Leaves the files out that do not exist (yet): while a room grows, the others
# can go on.  With MTAD_WHOLE (a release, ./test) it is an error.
function(mtad_keep_existing LIST)
	set(found "")
	foreach(file IN LISTS ${LIST})
		get_filename_component(path ${file} ABSOLUTE)
		if(EXISTS ${path})
			list(APPEND found ${file})
		else()
			if(MTAD_WHOLE)
				message(SEND_ERROR "${path} is missing")
			else()
				message(WARNING "${path} is missing")
			endif()
		endif()
	endforeach()
	set(${LIST} "${found}" PARENT_SCOPE)
endfunction()

function(mtad_room)
	cmake_parse_arguments(R "" "NAME" "SOURCES;LINK;LIBS" ${ARGN})
	mtad_keep_existing(R_SOURCES)
	if(NOT R_SOURCES)
		return()
	endif()
	add_library(${R_NAME} STATIC ${R_SOURCES})
	mtad_target_setup(${R_NAME})
	target_link_libraries(${R_NAME} PUBLIC ${R_LINK})
	mtad_link_libs(${R_NAME} ${R_LIBS})
endfunction()

function(mtad_program)
	cmake_parse_arguments(P "" "NAME" "SOURCES;LINK;LIBS" ${ARGN})
	mtad_keep_existing(P_SOURCES)
	if(NOT P_SOURCES)
		return()
	endif()
	add_executable(${P_NAME} ${P_SOURCES})
	mtad_target_setup(${P_NAME})
	target_link_libraries(${P_NAME} PRIVATE ${P_LINK})
	mtad_link_libs(${P_NAME} ${P_LIBS})
endfunction()

# Every test runs through tools/run-test: bounded in time, and failed by any
# report of a sanitizer, also one from a process that Criterion forked.
function(mtad_add_test NAME TIMEOUT LABELS)
	add_test(NAME ${NAME} COMMAND
		${CMAKE_SOURCE_DIR}/tools/run-test ${TIMEOUT} ${ARGN})
	math(EXPR outer "${TIMEOUT} + 20")
	set_tests_properties(${NAME} PROPERTIES
		LABELS "${LABELS}" TIMEOUT ${outer} SKIP_RETURN_CODE 77
		FAIL_REGULAR_EXPRESSION
		"ERROR: (Leak|Address)Sanitizer|WARNING: ThreadSanitizer|runtime error:"
		ENVIRONMENT "MTAD_BIN=${CMAKE_BINARY_DIR}/bin;MTAD_SOURCE=${CMAKE_SOURCE_DIR};MTAD_SANITIZE=${MTAD_SANITIZE}")
endfunction()

function(mtad_test)
	cmake_parse_arguments(T "" "NAME;ROOM;TIMEOUT" "SOURCES;LINK;LIBS;ARGS"
		${ARGN})
	if(NOT TARGET mtad::criterion)
		return()
	endif()
	mtad_keep_existing(T_SOURCES)
	if(NOT T_SOURCES)
		return()
	endif()
	if(NOT T_TIMEOUT)
		set(T_TIMEOUT 180)
	endif()
	set(target test_${T_NAME})
	add_executable(${target} ${T_SOURCES})
	set_target_properties(${target} PROPERTIES
		RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
	# Criterion's macros convert and shadow as they like
	mtad_target_setup(${target} -Wno-conversion -Wno-shadow
		-Wno-missing-prototypes -Wno-cast-qual)
	target_link_libraries(${target} PRIVATE ${T_ROOM} ${T_LINK})
	mtad_link_libs(${target} criterion ${T_LIBS})
	mtad_add_test(${T_NAME} ${T_TIMEOUT} unit $<TARGET_FILE:${target}>
		${T_ARGS})
endfunction()

# fuzz/fuzz_NAME.c defines LLVMFuzzerTestOneInput(); its corpus lies in
# fuzz/corpus/NAME.  With MTAD_FUZZ it becomes a fuzzer, else a test that
# replays the corpus, every truncation and every flipped bit of it.
function(mtad_fuzz)
	cmake_parse_arguments(F "" "NAME;TIMEOUT" "SOURCES;LINK;LIBS" ${ARGN})
	if(NOT F_SOURCES)
		set(F_SOURCES ${CMAKE_SOURCE_DIR}/fuzz/fuzz_${F_NAME}.c)
	endif()
	if(NOT MTAD_FUZZ AND NOT MTAD_UNIT_TESTS)
		return()
	endif()
	mtad_keep_existing(F_SOURCES)
	if(NOT F_SOURCES)
		return()
	endif()
	if(NOT F_TIMEOUT)
		set(F_TIMEOUT 180)
	endif()
	set(target fuzz_${F_NAME})
	add_executable(${target} ${F_SOURCES})
	set_target_properties(${target} PROPERTIES
		RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
	mtad_target_setup(${target} -Wno-missing-prototypes)
	target_link_libraries(${target} PRIVATE ${F_LINK})
	mtad_link_libs(${target} ${F_LIBS})
	if(MTAD_FUZZ)
		target_link_options(${target} PRIVATE -fsanitize=fuzzer)
		return()
	endif()
	target_sources(${target} PRIVATE ${CMAKE_SOURCE_DIR}/fuzz/replay.c)
	mtad_add_test(${target} ${F_TIMEOUT} "unit;fuzz"
		$<TARGET_FILE:${target}>
		${CMAKE_SOURCE_DIR}/fuzz/corpus/${F_NAME})
endfunction()

# A Python script that drives the built programs, found in $MTAD_BIN; exit
# code 77 means skipped.  ALONE: not beside other tests.
find_package(Python3 COMPONENTS Interpreter REQUIRED)

function(mtad_system_test)
	cmake_parse_arguments(S "ALONE" "NAME;SCRIPT;TIMEOUT" "ARGS;LABELS"
		${ARGN})
	if(NOT S_TIMEOUT)
		set(S_TIMEOUT 240)
	endif()
	mtad_add_test(${S_NAME} ${S_TIMEOUT} "system;${S_LABELS}"
		${Python3_EXECUTABLE} -B
		${CMAKE_CURRENT_SOURCE_DIR}/${S_SCRIPT} ${S_ARGS})
	if(S_ALONE)
		set_tests_properties(${S_NAME} PROPERTIES RUN_SERIAL ON)
	endif()
endfunction()
