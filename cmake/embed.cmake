# hy_embed(TARGET NAME FILE...): the files' bytes as C arrays, part of TARGET: page.js becomes page_js and page_js_len,
# which a header of the room declares.
function(hy_embed target name)
  set(out ${CMAKE_BINARY_DIR}/generated/${name}.c)
  set(inputs)
  foreach(file ${ARGN})
    list(APPEND inputs ${CMAKE_SOURCE_DIR}/${file})
  endforeach()
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DOUT=${out} "-DINPUTS=${inputs}" -P ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
    DEPENDS ${inputs} ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake VERBATIM)
  target_sources(${target} PRIVATE ${out})
endfunction()
