#include <lmada.hpp>

lmada::optimizer<double> made_elsewhere(std::size_t dim);

lmada::optimizer<double> made_elsewhere(std::size_t dim) { return lmada::optimizer<double>(dim); }
