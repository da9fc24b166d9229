/*
 * The GPT once more, larger: its files compiled with other sizes.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#define GPT_LARGE
#include "characters.c"
#include "gpt.c"
#include "gpt_layers.c"
