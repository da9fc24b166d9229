/* Invalid dimensions are refused, with NULL in *out. Empty blocks are valid. */
#include "model.h"

static lmada_t *const poison = (lmada_t *)(uintptr_t)0x5A5A5A5A;

static void nothing_to_optimize_is_refused(void)
{
    const size_t dims[] = {3, 4};
    lmada_t *out = poison;
    CHECK_REFUSED(lmada_create(NULL, 0, &out), LMADA_ERROR_INVALID_ARGUMENT, "dim is 0");
    CHECK(out == NULL);
    out = poison;
    CHECK_REFUSED(lmada_create_blocks(NULL, dims, 0, &out), LMADA_ERROR_INVALID_ARGUMENT, "count is 0");
    CHECK(out == NULL);
    out = poison;
    CHECK_STATUS(lmada_create_blocks(NULL, NULL, 0, &out), LMADA_ERROR_INVALID_ARGUMENT);
    CHECK(out == NULL);
}

static void null_pointers_are_named(void)
{
    const size_t dims[] = {3, 4};
    lmada_t *out = poison;
    CHECK_REFUSED(lmada_create_blocks(NULL, NULL, 2, &out), LMADA_ERROR_NULL_POINTER, "dims");
    CHECK(out == NULL);
    CHECK_REFUSED(lmada_create(NULL, 3, NULL), LMADA_ERROR_NULL_POINTER, "out");
    CHECK_REFUSED(lmada_create(NULL, 0, NULL), LMADA_ERROR_NULL_POINTER, "out");
    CHECK_REFUSED(lmada_create_blocks(NULL, dims, 2, NULL), LMADA_ERROR_NULL_POINTER, "out");
    CHECK_REFUSED(lmada_create_blocks(NULL, NULL, 0, NULL), LMADA_ERROR_NULL_POINTER, "out");
}

static void unaligned_dims_are_refused(void)
{
    size_t room[4] = {1, 1, 1, 1};
    lmada_t *out = poison;
    CHECK_REFUSED(lmada_create_blocks(NULL, one_byte_into(room), 2, &out), LMADA_ERROR_INVALID_ARGUMENT, "dims");
    CHECK(out == NULL);
}

/* A bad `out` is refused, and nothing is written. */
static void unaligned_places_for_the_handle_are_refused(void)
{
    const size_t dims[] = {3, 4};
    lmada_t *room[2] = {poison, poison};
    lmada_t **out = one_byte_into(room);
    CHECK_REFUSED(lmada_create(NULL, 3, out), LMADA_ERROR_INVALID_ARGUMENT, "out is ");
    CHECK_REFUSED(lmada_create_blocks(NULL, dims, 2, out), LMADA_ERROR_INVALID_ARGUMENT, "out is ");
    CHECK(room[0] == poison && room[1] == poison);
}

static void refuses_to_make(const lmada_config_t *config, const size_t *dims, size_t count)
{
    lmada_t *out = poison;
    lmada_status_t status = lmada_create_blocks(config, dims, count, &out);
    CHECK(status == LMADA_ERROR_OUT_OF_MEMORY || status == LMADA_ERROR_INVALID_ARGUMENT);
    CHECK(strlen(lmada_last_error()) > 0);
    CHECK(out == NULL);
    if (count != 1) return;
    out = poison;
    CHECK_STATUS(lmada_create(config, *dims, &out), status);
    CHECK(out == NULL);
}

/* More elements than an address space of 2^47 bytes holds, or than a size_t counts. */
static void absurd_lengths_are_out_of_memory(void)
{
    const uint32_t history_sizes[] = {1, 10, 4096};
    for (int number = 0; number < VARIANTS; number++) {
        for (int k = 0; k < 3; k++) {
            lmada_config_t config = variant(number);
            config.history_size = history_sizes[k];
            config.threads = number % 2 ? 1 : 0;
            for (unsigned shift = 0; shift <= 17; shift++) {
                const size_t powers[] = {(SIZE_MAX >> shift) - 1, SIZE_MAX >> shift, (SIZE_MAX >> shift) + 1};
                for (int i = shift ? 0 : 1; i < (shift ? 3 : 2); i++) {
                    const size_t pairs[] = {powers[i], powers[i]}, ahead[] = {1, powers[i]}, behind[] = {powers[i], 1};
                    AT("variant %d, k %u, length %zx", number, (unsigned)history_sizes[k], powers[i]);
                    refuses_to_make(&config, &powers[i], 1);
                    refuses_to_make(&config, pairs, 2);
                    refuses_to_make(&config, ahead, 2);
                    refuses_to_make(&config, behind, 2);
                }
            }
        }
    }
}

static void absurd_counts_are_refused(void)
{
    const size_t dims[] = {1};
    lmada_t *out = poison;
    CHECK_REFUSED(lmada_create_blocks(NULL, dims, SIZE_MAX, &out), LMADA_ERROR_INVALID_ARGUMENT, "dims");
    CHECK(out == NULL);
    out = poison;
    CHECK_STATUS(lmada_create_blocks(NULL, dims, SIZE_MAX / 8 + 2, &out), LMADA_ERROR_INVALID_ARGUMENT);
    CHECK(out == NULL);
}

/* An empty block is valid: it is an empty share of a model split over processes. */
static void empty_blocks_are_fine(void)
{
    const size_t shapes[][4] = {{0, 5, 0, 0}, {5, 0, 0, 0}, {0, 0, 0, 5}, {0, 0, 0, 0}, {2, 0, 3, 0}};
    for (int number = 0; number < VARIANTS; number++) {
        for (size_t shape = 0; shape < sizeof shapes / sizeof *shapes; shape++) {
            const lmada_config_t config = variant(number);
            model m = {NULL, NULL, 0};
            AT("variant %d, shape %zu", number, shape);
            for (int i = 0; i < 4; i++) m.dim += shapes[shape][i];
            m.params = zeros(m.dim);
            CHECK_OK(lmada_create_blocks(&config, shapes[shape], 4, &m.opt));
            step_model(&m, 0, 7);
            CHECK(stats_of(m.opt).steps == 7);
            if (m.dim == 0) {
                CHECK_OK(real_step(m.opt, NULL, NULL, 0));
                CHECK(stats_of(m.opt).grad_norm == 0);
            }
            free_model(&m);
        }
    }
}

static void a_block_like_the_whole_is_the_whole(void)
{
    const lmada_config_t config = base_config();
    const size_t dim = 9;
    model one = new_model(&config, dim), block = {NULL, zeros(dim), dim};
    CHECK_OK(lmada_create_blocks(&config, &dim, 1, &block.opt));
    step_model(&one, 0, 13);
    step_model(&block, 0, 13);
    CHECK(same_model(&one, &block));
    free_model(&one);
    free_model(&block);
}

int main(void)
{
    nothing_to_optimize_is_refused();
    null_pointers_are_named();
    unaligned_dims_are_refused();
    unaligned_places_for_the_handle_are_refused();
    absurd_lengths_are_out_of_memory();
    absurd_counts_are_refused();
    empty_blocks_are_fine();
    a_block_like_the_whole_is_the_whole();
    return 0;
}
