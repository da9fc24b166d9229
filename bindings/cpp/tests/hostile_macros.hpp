// Macros that the system headers of Windows and X11 define. Standard headers work after them, and so must lmada.hpp.

#define min(a, b) (((a) < (b)) ? (a) : (b))
#define max(a, b) (((a) > (b)) ? (a) : (b))
#define small char
#define hyper long long
#define near
#define far
#define interface struct
#define IN
#define OUT
#define OPTIONAL
#define ERROR 0
#define NO_ERROR 0
#define CALLBACK
#define None 0L
#define Status int
#define Bool int
#define Success 0
#define True 1
#define False 0
