#include "agent/model/admission.h"
#include "agent/base/budget.h"
#include "agent/base/error.h"
#include "agent/base/mem.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct gate {
    _Atomic uint32_t refs;
    _Atomic uint32_t closed; /* closes without their open */
};

struct admission {
    _Atomic uint32_t refs;
    _Atomic uint32_t paused;
    pthread_rwlock_t lock;
    struct gate **gates; /* references; under lock */
    size_t n;
};

struct gate *gate_new(void)
{
    struct gate *g = mem_zalloc(sizeof *g);

    atomic_init(&g->refs, 1);
    return g;
}

void gate_ref(struct gate *g)
{
    atomic_fetch_add(&g->refs, 1);
}

void gate_unref(struct gate *g)
{
    if (g != NULL && atomic_fetch_sub(&g->refs, 1) == 1)
        mem_free(g);
}

void gate_close(struct gate *g)
{
    atomic_fetch_add(&g->closed, 1);
}

void gate_open(struct gate *g)
{
    BUG_ON(atomic_fetch_sub(&g->closed, 1) == 0);
}

bool gate_is_open(const struct gate *g)
{
    return atomic_load(&g->closed) == 0;
}

struct admission *admission_new(void)
{
    struct admission *a = mem_zalloc(sizeof *a);

    atomic_init(&a->refs, 1);
    (void)pthread_rwlock_init(&a->lock, NULL);
    return a;
}

void admission_ref(struct admission *a)
{
    atomic_fetch_add(&a->refs, 1);
}

static void drop_gates(struct gate **gates, size_t n)
{
    for (size_t i = 0; i < n; i++)
        gate_unref(gates[i]);
    mem_free(gates);
}

void admission_unref(struct admission *a)
{
    if (a == NULL || atomic_fetch_sub(&a->refs, 1) != 1)
        return;
    drop_gates(a->gates, a->n);
    (void)pthread_rwlock_destroy(&a->lock);
    mem_free(a);
}

void admission_set(struct admission *a, struct gate *const *gates, size_t n)
{
    struct gate **copy = mem_array(n != 0 ? n : 1, sizeof(struct gate *)), **old;
    size_t n_old;

    for (size_t i = 0; i < n; i++) {
        gate_ref(gates[i]);
        copy[i] = gates[i];
    }
    (void)pthread_rwlock_wrlock(&a->lock);
    old = a->gates;
    n_old = a->n;
    a->gates = copy;
    a->n = n;
    (void)pthread_rwlock_unlock(&a->lock);
    drop_gates(old, n_old);
}

void admission_pause(struct admission *a)
{
    atomic_fetch_add(&a->paused, 1);
}

void admission_resume(struct admission *a)
{
    BUG_ON(atomic_fetch_sub(&a->paused, 1) == 0);
}

enum admission_answer admission_ask(const struct admission *a, size_t bytes)
{
    pthread_rwlock_t *lock = (pthread_rwlock_t *)(uintptr_t)&a->lock; /* taking it changes nothing one can see */
    bool is_open = true;

    if (atomic_load(&a->paused) != 0)
        return REFUSE_PAUSED;
    (void)pthread_rwlock_rdlock(lock);
    for (size_t i = 0; i < a->n && is_open; i++)
        is_open = gate_is_open(a->gates[i]);
    (void)pthread_rwlock_unlock(lock);
    if (!is_open)
        return REFUSE_SINK;
    if (budget_is_tight() || (bytes != 0 && !budget_has_room(bytes)))
        return REFUSE_MEMORY;
    return ADMIT;
}
