# openrknn_flatbuffers(OUT FOLDER): headers made of FOLDER/*.fbs, under generated/ as FOLDER lies under src/.
function(openrknn_flatbuffers out folder)
  file(GLOB schemas CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${folder}/*.fbs)
  set(headers "")
  foreach(schema ${schemas})
    get_filename_component(stem ${schema} NAME_WE)
    set(header ${PROJECT_BINARY_DIR}/generated/${folder}/${stem}_generated.h)
    add_custom_command(OUTPUT ${header}
      COMMAND ${FLATC} --cpp --scoped-enums -o ${PROJECT_BINARY_DIR}/generated/${folder} ${schema}
      DEPENDS ${schema})
    list(APPEND headers ${header})
  endforeach()
  set(${out} ${headers} PARENT_SCOPE)
endfunction()
