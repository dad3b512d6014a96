/* agent/model/admission.h - may a source read (or accept) more? (design.md, Decisions: Admission.)
 * A sink owns a gate and closes it while it cannot take more (on_full = "block" at its cap, memory mode without room).
 * The runtime gives each source a slot that holds the gates its graph reaches. Thread-safe: listener threads may ask.
 */
#ifndef AGENT_MODEL_ADMISSION_H
#define AGENT_MODEL_ADMISSION_H
#include <stdbool.h>
#include <stddef.h>

struct gate;
struct gate *gate_new(void);
void gate_ref(struct gate *g);
void gate_unref(struct gate *g); /* NULL is fine */
/* Counted: opens again when every close was matched by an open. */
void gate_close(struct gate *g);
void gate_open(struct gate *g);
bool gate_is_open(const struct gate *g);

struct admission;
struct admission *admission_new(void);
void admission_ref(struct admission *a);
void admission_unref(struct admission *a);
/* Replaces the set of gates (references are taken). */
void admission_set(struct admission *a, struct gate *const *gates, size_t n);
/* The source itself is paused (reload, drain). Counted like a gate. */
void admission_pause(struct admission *a);
void admission_resume(struct admission *a);
enum admission_answer {
    ADMIT,         /* go on */
    REFUSE_MEMORY, /* the budget is over its high mark, or has no room for these bytes */
    REFUSE_SINK,   /* a sink this source reaches takes nothing now */
    REFUSE_PAUSED, /* reload or shutdown */
};
/* bytes: what the source is about to take; 0 just asks. */
enum admission_answer admission_ask(const struct admission *a, size_t bytes);
#endif
