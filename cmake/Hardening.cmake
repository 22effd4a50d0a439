# Code generation: what every build has, and what a release adds.
include(CheckCCompilerFlag)

add_library(mtad_codegen INTERFACE)
target_compile_definitions(mtad_codegen INTERFACE _GNU_SOURCE)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

# NDEBUG stays off: nothing here uses assert(), and MUST() is always on.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-O0 -g")
if(MTAD_SANITIZE OR MTAD_FUZZ)
	set(CMAKE_C_FLAGS_DEBUG "-O1 -g")
endif()

foreach(flag IN ITEMS
    -fstack-protector-strong -fstack-clash-protection -fcf-protection
    -ftrivial-auto-var-init=zero -fno-plt -fno-strict-overflow
    -fno-delete-null-pointer-checks)
	string(MAKE_C_IDENTIFIER "MTAD_HAS${flag}" known)
	# -Werror: clang only warns about an option it ignores
	set(CMAKE_REQUIRED_FLAGS -Werror)
	check_c_compiler_flag(${flag} ${known})
	unset(CMAKE_REQUIRED_FLAGS)
	if(${known})
		target_compile_options(mtad_codegen INTERFACE
			$<$<CONFIG:Release>:${flag}>)
	endif()
endforeach()
target_compile_options(mtad_codegen INTERFACE
	"$<$<CONFIG:Release>:SHELL:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3>"
	-fno-common -fno-omit-frame-pointer)
target_link_options(mtad_codegen INTERFACE
	-Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed)

if(MTAD_LTO)
	include(CheckIPOSupported)
	check_ipo_supported(LANGUAGES C)
	set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
endif()
if(MTAD_COVERAGE)
	target_compile_options(mtad_codegen INTERFACE --coverage
		-fprofile-update=atomic)
	target_link_options(mtad_codegen INTERFACE --coverage)
endif()
