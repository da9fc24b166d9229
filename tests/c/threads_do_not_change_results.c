/* The number of threads changes no bit of the results, in one block or many. */
#include "model.h"

enum { DIM = 150001, SMALL_DIM = 40001, BLOCKS = 40, STEPS = 8 };

static model make(int number, uint32_t threads, size_t dim, bool blocks)
{
    lmada_config_t config = variant(number);
    size_t dims[BLOCKS], rest = dim;
    model m = {NULL, zeros(dim), dim};
    config.history_size = 8;
    config.threads = threads;
    for (size_t i = 0; i + 1 < BLOCKS; i++) {
        dims[i] = i % 5 == 4 ? 0 : dim * (i + 1) / (BLOCKS * BLOCKS);
        rest -= dims[i];
    }
    dims[BLOCKS - 1] = rest;
    if (blocks) CHECK_OK(lmada_create_blocks(&config, dims, BLOCKS, &m.opt));
    else CHECK_OK(lmada_create(&config, dim, &m.opt));
    return m;
}

int main(int argc, char **argv)
{
    const bool reduced = argc > 1;
    const uint32_t threads[] = {3, 0, 2, 7};
    const size_t dim = reduced ? SMALL_DIM : DIM, count = reduced ? 1 : sizeof threads / sizeof *threads;
    (void)argv;
    EACH_VARIANT (number, reduced) {
        for (int blocks = 0; blocks < 2; blocks++) {
            model one = make(number, 1, dim, blocks);
            step_model(&one, 0, STEPS);
            for (size_t i = 0; i < count; i++) {
                model many = make(number, threads[i], dim, blocks);
                AT("variant %d, %u threads%s", number, (unsigned)threads[i], blocks ? ", in blocks" : "");
                step_model(&many, 0, STEPS);
                CHECK(same_model(&one, &many));
                free_model(&many);
            }
            free_model(&one);
        }
    }
    return 0;
}
