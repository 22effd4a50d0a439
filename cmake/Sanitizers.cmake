# MTAD_SANITIZE: ON (address + undefined behaviour), thread, or OFF.
# -fno-sanitize-recover, because a test that only prints still passes.
if(MTAD_FUZZ AND NOT MTAD_SANITIZE)
	set(MTAD_SANITIZE ON)
endif()
if(MTAD_SANITIZE STREQUAL "thread")
	set(sanitizers -fsanitize=thread)
elseif(MTAD_SANITIZE)
	set(sanitizers -fsanitize=address,undefined
		-fno-sanitize-recover=all)
endif()
if(MTAD_FUZZ)
	if(NOT CMAKE_C_COMPILER_ID MATCHES Clang)
		message(FATAL_ERROR "MTAD_FUZZ needs clang")
	endif()
	list(APPEND sanitizers -fsanitize=fuzzer-no-link)
endif()
target_compile_options(mtad_codegen INTERFACE ${sanitizers})
target_link_options(mtad_codegen INTERFACE ${sanitizers})
