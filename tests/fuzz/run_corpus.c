/* Runs LLVMFuzzerTestOneInput once over every file of the folders named: the seed corpora as a regression test. */
#include "agent/base/mem.h"
#include <dirent.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *bytes;
    size_t n;

    if (f == NULL)
        return 1;
    bytes = mem_alloc(1 << 20);
    n = fread(bytes, 1, 1 << 20, f);
    (void)fclose(f);
    bytes = mem_realloc(bytes, n != 0 ? n : 1); /* exact size, so that AddressSanitizer sees a read past the end */
    (void)LLVMFuzzerTestOneInput((const uint8_t *)bytes, n);
    mem_free(bytes);
    return 0;
}

int main(int argc, char **argv)
{
    int ran = 0;

    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        struct dirent *e;

        while (dir != NULL && (e = readdir(dir)) != NULL) {
            char path[4096];

            if (e->d_name[0] == '.')
                continue;
            (void)snprintf(path, sizeof path, "%s/%s", argv[i], e->d_name);
            if (run_file(path) != 0)
                return 1;
            ran++;
        }
        if (dir != NULL)
            (void)closedir(dir);
    }
    (void)printf("%d inputs\n", ran);
    return ran != 0 ? 0 : 1; /* a target without a corpus is a mistake */
}
