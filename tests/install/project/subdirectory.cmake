add_subdirectory(${LMADA_SOURCE} lmada)
