/* agent/river/letters.h - which characters make identifiers: Unicode's categories L and Nd. */
#ifndef AGENT_RIVER_LETTERS_H
#define AGENT_RIVER_LETTERS_H
#include <stdbool.h>
#include <stdint.h>

bool letter_is(uint32_t rune); /* a letter, or '_' */
bool digit_is(uint32_t rune);  /* a decimal digit of any script */
#endif
