/* agent/text/letter.h - upper and lower case of Latin, Greek, Cyrillic and Armenian letters; others have no case here.
 */
#ifndef AGENT_TEXT_LETTER_H
#define AGENT_TEXT_LETTER_H
#include <stdbool.h>
#include <stdint.h>

uint32_t letter_lower(uint32_t rune);
uint32_t letter_upper(uint32_t rune);
/* Part of a word as Go's strings.Title separates them. */
bool letter_is_word(uint32_t rune);
#endif
