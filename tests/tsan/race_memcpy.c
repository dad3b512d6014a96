/* A race on purpose inside memcpy, which lives in a library that is not instrumented: it must be reported all the same.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static char shared[4096];

static void *copy(void *from)
{
    size_t n = strlen(from) + 1; /* not known to the compiler: the call stays a call */

    for (int i = 0; i < 10000; i++)
        memcpy(shared, from, n);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t other;

    if (argc < 1 || pthread_create(&other, NULL, copy, argv[0]) != 0)
        return 1;
    (void)copy(argv[0]);
    (void)pthread_join(other, NULL);
    (void)printf("%s\n", shared);
    return 0;
}
