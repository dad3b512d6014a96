# bench/driver and bench/config: the single-threaded drivers whose instructions `hy bench --ci` counts.
if(NOT HY_BENCH)
  return()
endif()
file(GLOB files CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} bench/driver/*.c)
add_executable(hyagent_bench ${files})
# Its stand-ins for the runtime's host and sink come first, so that the archives' own are left out.
target_link_libraries(hyagent_bench PRIVATE ${HY_ROOM_LIBS})

# The language alone, on the real runtime: instructions per line of configuration.
add_executable(hyagent_bench_config bench/config/main.c)
hy_program(hyagent_bench_config)
