# `cmake --install`: headers, librknnrt.so, the session library and what finds them (CMake package, pkg-config).
# Components: runtime (what runs), development (what programs are built with), python (the wheel's, only when asked for).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# The session as one archive for consumers: its objects and those of the room it stands on. Static, because a C++
# library shared between compilers would promise an ABI; it exports nothing and needs dl and threads alone.
add_library(openrknn_session_sdk STATIC $<TARGET_OBJECTS:openrknn_session> $<TARGET_OBJECTS:openrknn_base>)
set_target_properties(openrknn_session_sdk PROPERTIES OUTPUT_NAME openrknn_session EXPORT_NAME session
  ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/sdk)
target_compile_features(openrknn_session_sdk INTERFACE cxx_std_20)
target_link_libraries(openrknn_session_sdk INTERFACE Threads::Threads ${CMAKE_DL_LIBS})

# In the build tree of a project that adds this one as a subdirectory the names are the same.
add_library(openrknn::session ALIAS openrknn_session)
add_library(openrknn::rknnrt ALIAS rknnrt)

install(TARGETS rknnrt EXPORT openrknn
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS openrknn_session_sdk EXPORT openrknn
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(TARGET openrknn)
  install(TARGETS openrknn RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
endif()
install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/openrknn)
install(EXPORT openrknn NAMESPACE openrknn:: FILE openrknnTargets.cmake DESTINATION ${package_folder} COMPONENT development)
configure_package_config_file(cmake/openrknnConfig.cmake.in openrknnConfig.cmake INSTALL_DESTINATION ${package_folder}
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(openrknnConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/openrknnConfig.cmake ${PROJECT_BINARY_DIR}/openrknnConfigVersion.cmake
  DESTINATION ${package_folder} COMPONENT development)

# The .pc files name their prefix from where they lie, so that the tree may be moved.
string(REGEX REPLACE "[^/]+" ".." OPENRKNN_UP ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
foreach(name openrknn rknnrt)
  configure_file(cmake/${name}.pc.in ${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
endforeach()
