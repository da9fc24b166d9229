#include <iostream>
#include <lmada.hpp>
#include <vector>

int main() {
    std::vector<float> w{3, -2}, g(2);
    lmada::optimizer<float> optimizer(w.size());
    for (int i = 0; i < 500; i++) {
        g = {w[0], 10 * w[1]};
        optimizer.step(w, g);
    }
    std::cout << lmada::version() << (w[0] * w[0] + w[1] * w[1] < 2 ? " fell\n" : " did not fall\n");
}
