# The outside libraries, as targets mtad::<name>.  Where a distribution ships
# no .pc file (libev nowhere, lmdb on some) the header and library are looked
# for by name; Fedora keeps ev.h in /usr/include/libev.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

function(mtad_find_by_name NAME HEADER LIBRARY)
	find_path(MTAD_${NAME}_INCLUDE ${HEADER} PATH_SUFFIXES libev)
	find_library(MTAD_${NAME}_LIBRARY ${LIBRARY})
	mark_as_advanced(MTAD_${NAME}_INCLUDE MTAD_${NAME}_LIBRARY)
	if(NOT MTAD_${NAME}_INCLUDE OR NOT MTAD_${NAME}_LIBRARY)
		message(FATAL_ERROR "<${HEADER}> or lib${LIBRARY} is missing: "
			"tools/install-deps build")
	endif()
	add_library(mtad::${NAME} INTERFACE IMPORTED GLOBAL)
	target_include_directories(mtad::${NAME} SYSTEM INTERFACE
		${MTAD_${NAME}_INCLUDE})
	target_link_libraries(mtad::${NAME} INTERFACE
		${MTAD_${NAME}_LIBRARY})
endfunction()

function(mtad_find_by_pkgconfig NAME MODULE)
	pkg_check_modules(${NAME} REQUIRED IMPORTED_TARGET GLOBAL ${MODULE})
	add_library(mtad::${NAME} ALIAS PkgConfig::${NAME})
endfunction()

mtad_find_by_name(ev ev.h ev)
mtad_find_by_name(lmdb lmdb.h lmdb)
mtad_find_by_pkgconfig(yaml yaml-0.1)
mtad_find_by_pkgconfig(cares libcares)
mtad_find_by_pkgconfig(curl libcurl)
mtad_find_by_pkgconfig(ssl openssl)
mtad_find_by_pkgconfig(idn2 libidn2)

if(MTAD_UNIT_TESTS)
	pkg_check_modules(criterion IMPORTED_TARGET GLOBAL criterion)
	if(criterion_FOUND)
		add_library(mtad::criterion ALIAS PkgConfig::criterion)
	else()
		message(WARNING "Criterion is missing, so the unit tests are "
			"not built: tools/install-deps test")
	endif()
endif()
