find_package(lmada 0.1 CONFIG REQUIRED)
