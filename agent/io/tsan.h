/* agent/io/tsan.h - tells ThreadSanitizer of a hand-over that goes through a library it does not see into.
 *
 * release: before the library is given p; acquire: where the library gave p back, on whatever thread. They order
 * nothing themselves: the library's own queue or lock does. In other builds they are nothing. */
#ifndef AGENT_IO_TSAN_H
#define AGENT_IO_TSAN_H

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HY_TSAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define HY_TSAN 1
#endif

#if defined(HY_TSAN)
void __tsan_acquire(void *p);
void __tsan_release(void *p);

static inline void tsan_acquire(void *p)
{
    __tsan_acquire(p);
}

static inline void tsan_release(void *p)
{
    __tsan_release(p);
}
#else
static inline void tsan_acquire(void *p)
{
    (void)p;
}

static inline void tsan_release(void *p)
{
    (void)p;
}
#endif
#endif
