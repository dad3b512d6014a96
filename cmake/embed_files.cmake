# cmake -DOUT=FILE -DINPUTS=LIST -P embed_files.cmake
set(text "#include <stddef.h>\n")
foreach(input ${INPUTS})
  get_filename_component(name ${input} NAME)
  string(MAKE_C_IDENTIFIER ${name} id)
  file(READ ${input} bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(APPEND text "extern const unsigned char ${id}[];\nextern const size_t ${id}_len;\n"
    "const unsigned char ${id}[] = {${bytes}};\nconst size_t ${id}_len = sizeof ${id};\n")
endforeach()
file(WRITE ${OUT} "${text}")
