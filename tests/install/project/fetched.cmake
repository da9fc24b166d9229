# Where it would be fetched from is not there: FETCHCONTENT_SOURCE_DIR_LMADA says where it lies already.
include(FetchContent)
FetchContent_Declare(lmada URL https://lmada.invalid/lmada.tar.gz)
FetchContent_MakeAvailable(lmada)
