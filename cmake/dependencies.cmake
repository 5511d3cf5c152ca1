# Finds the libraries, and says in one message which Debian packages are missing.

set(WEIR_MISSING "")

# weir_find(TARGET HEADER file LIBRARY name PACKAGE debian-package [SUFFIX folder]): an imported target, its header a system
# include; the header may lie in a folder of its own below the usual ones.
function(weir_find target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "HEADER;LIBRARY;PACKAGE;SUFFIX" "")
  string(MAKE_C_IDENTIFIER "WEIR_${arg_LIBRARY}" id)
  find_path(${id}_INCLUDE ${arg_HEADER} PATH_SUFFIXES ${arg_SUFFIX})
  find_library(${id}_LIBRARY ${arg_LIBRARY})
  mark_as_advanced(${id}_INCLUDE ${id}_LIBRARY)
  if(NOT ${id}_INCLUDE OR NOT ${id}_LIBRARY)
    list(APPEND WEIR_MISSING "${arg_HEADER} and lib${arg_LIBRARY}: package ${arg_PACKAGE}")
    set(WEIR_MISSING "${WEIR_MISSING}" PARENT_SCOPE)
    return()
  endif()
  add_library(${target} UNKNOWN IMPORTED GLOBAL)
  set_target_properties(${target} PROPERTIES
    IMPORTED_LOCATION "${${id}_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${${id}_INCLUDE}")
endfunction()

weir_find(PCRE2::pcre2 HEADER pcre2.h LIBRARY pcre2-8 PACKAGE libpcre2-dev)
weir_find(SQLite::sqlite3 HEADER sqlite3.h LIBRARY sqlite3 PACKAGE libsqlite3-dev)
weir_find(OpenSSL::ssl HEADER openssl/ssl.h LIBRARY ssl PACKAGE libssl-dev)
weir_find(OpenSSL::crypto HEADER openssl/crypto.h LIBRARY crypto PACKAGE libssl-dev)
weir_find(LibEv::ev HEADER ev.h LIBRARY ev PACKAGE libev-dev)
weir_find(Nftables::nftables HEADER nftables/libnftables.h LIBRARY nftables PACKAGE libnftables-dev)
weir_find(LibXml2::xml2 HEADER libxml/xmlwriter.h LIBRARY xml2 PACKAGE libxml2-dev SUFFIX libxml2)
weir_find(Jansson::jansson HEADER jansson.h LIBRARY jansson PACKAGE libjansson-dev)
weir_find(CURL::curl HEADER curl/curl.h LIBRARY curl PACKAGE libcurl4-openssl-dev)
weir_find(Ncurses::ncursesw HEADER curses.h LIBRARY ncursesw PACKAGE libncurses-dev)
if(WEIR_TESTS)
  weir_find(CUnit::cunit HEADER CUnit/CUnit.h LIBRARY cunit PACKAGE libcunit1-dev)
endif()

# llhttp: the system's library where there is one, else the sources that Debian 12 ships in node-llhttp.
find_path(WEIR_LLHTTP_INCLUDE llhttp.h)
find_library(WEIR_LLHTTP_LIBRARY llhttp)
find_path(WEIR_LLHTTP_SOURCE llhttp.c PATHS /usr/share/llhttp NO_DEFAULT_PATH)
find_path(WEIR_LLHTTP_SOURCE_INCLUDE llhttp.h PATHS /usr/share/include/llhttp NO_DEFAULT_PATH)
mark_as_advanced(WEIR_LLHTTP_INCLUDE WEIR_LLHTTP_LIBRARY WEIR_LLHTTP_SOURCE WEIR_LLHTTP_SOURCE_INCLUDE)
if(WEIR_LLHTTP_INCLUDE AND WEIR_LLHTTP_LIBRARY)
  add_library(LLHTTP::llhttp UNKNOWN IMPORTED GLOBAL)
  set_target_properties(LLHTTP::llhttp PROPERTIES
    IMPORTED_LOCATION "${WEIR_LLHTTP_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${WEIR_LLHTTP_INCLUDE}")
  message(STATUS "llhttp: ${WEIR_LLHTTP_LIBRARY}")
elseif(WEIR_LLHTTP_SOURCE AND WEIR_LLHTTP_SOURCE_INCLUDE)
  set(WEIR_LLHTTP_FROM_SOURCE ON)
  message(STATUS "llhttp: compiled from ${WEIR_LLHTTP_SOURCE}")
else()
  list(APPEND WEIR_MISSING "llhttp: package libllhttp-dev, or node-llhttp on Debian 12")
endif()

set(CMAKE_THREAD_PREFER_PTHREAD ON)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

if(WEIR_MISSING)
  list(JOIN WEIR_MISSING "\n  " WEIR_MISSING)
  message(FATAL_ERROR "These are missing:\n  ${WEIR_MISSING}\n"
                      "On Debian, apt-get install the packages named, or let scripts/run do it.")
endif()
