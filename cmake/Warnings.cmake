# What every file of ours must compile without, with gcc >= 12 and
# clang >= 14.
set(MTAD_WARNINGS
	-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes
	-Wmissing-prototypes -Wvla -Wundef -Wcast-qual)
if(MTAD_WERROR)
	list(APPEND MTAD_WARNINGS -Werror)
endif()
