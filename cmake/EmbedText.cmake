# gelato_embed_text(TARGET HEADER NAME=FILE...): files as `constexpr std::string_view NAME` in
# namespace gelato::embedded, in a generated header that only TARGET sees. Changes of a file
# configure again.
function(gelato_embed_text target header)
  set(text "// Generated from the files it names.\n#pragma once\n#include <string_view>\n")
  string(APPEND text "namespace gelato::embedded {\n")
  foreach(entry IN LISTS ARGN)
    string(REGEX MATCH "^([A-Za-z]+)=(.*)$" matched "${entry}")
    set(name ${CMAKE_MATCH_1})
    set(file ${CMAKE_MATCH_2})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} bytes HEX)
    string(LENGTH "${bytes}" digits)
    math(EXPR size "${digits} / 2")
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
    get_filename_component(shown ${file} NAME)
    string(APPEND text "// ${shown}\ninline constexpr char ${name}Bytes[] = {${bytes}0};\n"
           "inline constexpr std::string_view ${name}(${name}Bytes, ${size});\n")
  endforeach()
  string(APPEND text "}  // namespace gelato::embedded\n")
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/embedded)
  file(CONFIGURE OUTPUT ${folder}/${header} CONTENT "${text}" @ONLY)
  target_include_directories(${target} PRIVATE ${folder})
endfunction()
