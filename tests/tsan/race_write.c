/* A race on purpose: two threads add to one plain integer. ThreadSanitizer must report it with our suppression file. */
#include <pthread.h>
#include <stdio.h>

static int shared;

static void *add(void *self)
{
    for (int i = 0; i < 100000; i++)
        shared++;
    return self;
}

int main(void)
{
    pthread_t other;

    if (pthread_create(&other, NULL, add, NULL) != 0)
        return 1;
    (void)add(NULL);
    (void)pthread_join(other, NULL);
    (void)printf("%d\n", shared);
    return 0;
}
