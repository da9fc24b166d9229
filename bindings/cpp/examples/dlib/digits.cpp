// Trains a small network in dlib to read handwritten digits, once with Adam and once with lmada.
//
//     gzip -dc examples/data/digits.csv.gz | digits

#include <dlib/dnn.h>

#include <lmada/dlib.hpp>

#include <cstddef>
#include <cstdio>
#include <exception>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr std::size_t seen = 1437;  // the number of training digits; the others are test digits

using net_type = dlib::loss_multiclass_log<
    dlib::fc<10, dlib::htan<dlib::fc<32, dlib::input<dlib::matrix<float>>>>>>;

struct digits {
    std::vector<dlib::matrix<float>> images;
    std::vector<unsigned long> labels;
};

// A line is 64 pixels from 0 to 16 and the digit.
digits read(std::istream& in) {
    digits data;
    for (std::string line; std::getline(in, line);) {
        std::istringstream row(line);
        std::string cell;
        dlib::matrix<float> image(8, 8);
        for (long i = 0; i < 64 && std::getline(row, cell, ','); ++i) image(i) = std::stof(cell) / 16;
        std::getline(row, cell);
        data.images.push_back(image);
        data.labels.push_back(std::stoul(cell));
    }
    if (data.labels.size() <= seen) throw std::runtime_error("stdin is not the digits");
    return data;
}

// Returns the mean loss over the training digits, and prints it with the accuracy on the test digits.
template <class Solver>
double train(const char* name, const digits& data, const Solver& solver) {
    net_type net;
    dlib::dnn_trainer<net_type, Solver> trainer(net, solver);
    trainer.set_mini_batch_size(64);
    trainer.set_learning_rate(0.01);
    trainer.set_learning_rate_shrink_factor(1);
    dlib::rand random(1);
    const auto some = [&](std::size_t count) {
        std::vector<dlib::matrix<float>> images;
        std::vector<unsigned long> labels;
        while (labels.size() < count) {
            const std::size_t chosen = random.get_random_32bit_number() % seen;
            images.push_back(data.images[chosen]);
            labels.push_back(data.labels[chosen]);
        }
        return std::make_pair(images, labels);
    };
    for (int step = 0; step < 450; ++step) {
        if (step % 180 == 179) trainer.set_learning_rate(trainer.get_learning_rate() * 0.3);
        const auto batch = some(64);
        trainer.train_one_step(batch.first, batch.second);
    }
    trainer.get_net();  // waits for the trainer's thread

    const std::vector<dlib::matrix<float>> learnt(data.images.begin(), data.images.begin() + seen);
    const std::vector<unsigned long> labels(data.labels.begin(), data.labels.begin() + seen);
    const double loss = net.compute_loss(learnt.begin(), learnt.end(), labels.begin());
    const std::vector<unsigned long> said = net(data.images);
    std::size_t right = 0;
    for (std::size_t i = seen; i < said.size(); ++i) right += said[i] == data.labels[i];
    std::printf("%s: loss %.4f, accuracy on unseen digits %.3f\n", name, loss,
                static_cast<double>(right) / static_cast<double>(said.size() - seen));
    return loss;
}

}  // namespace

int main() {
    try {
        const digits data = read(std::cin);
        const double before = train("Adam", data, dlib::adam(0, 0.9f, 0.999f));
        const double after = train("lmada", data, lmada::dlib::solver(lmada::config::recommended()));
        return after < before ? 0 : 1;
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "digits: %s\n", failure.what());
        return 1;
    }
}
