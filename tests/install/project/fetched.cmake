# The URL does not exist: FETCHCONTENT_SOURCE_DIR_LMADA names the folder of the sources.
include(FetchContent)
FetchContent_Declare(lmada URL https://lmada.invalid/lmada.tar.gz)
FetchContent_MakeAvailable(lmada)
