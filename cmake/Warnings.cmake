# What every file of ours must compile without, with gcc >= 12 and
# clang >= 14.
add_library(mtad_warnings INTERFACE)
target_compile_options(mtad_warnings INTERFACE
	-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes
	-Wmissing-prototypes -Wvla -Wundef -Wcast-qual
	$<$<BOOL:${MTAD_WERROR}>:-Werror>)
