#include "agent/io/zip.h"
#include "agent/base/mem.h"
#include <limits.h>
#include <stdbool.h>
#include <minizip/zip.h>
#include <time.h>
#include <zlib.h>

struct zip {
    struct buf *out; /* borrowed */
    size_t at;       /* where minizip writes next: it goes back to mend headers */
    bool is_over;    /* out is full: minizip leaks when a write fails, so it is not told */
    zipFile file;
};

static voidpf open_buf(voidpf self, const void *name, int mode)
{
    (void)name;
    (void)mode;
    return self;
}

static uLong read_buf(voidpf self, voidpf stream, void *out, uLong n)
{
    struct zip *z = self;
    size_t left = z->out->len > z->at ? z->out->len - z->at : 0;

    (void)stream;
    n = n < left ? n : (uLong)left;
    memcpy(out, z->out->ptr + z->at, n);
    z->at += n;
    return n;
}

static uLong write_buf(voidpf self, voidpf stream, const void *in, uLong n)
{
    struct zip *z = self;
    size_t over = z->is_over ? 0 : z->out->len - z->at; /* bytes that are there already */

    (void)stream;
    over = over < n ? over : n;
    if (over != 0)
        memcpy(z->out->ptr + z->at, in, over);
    if (n != over && !z->is_over)
        z->is_over = buf_add(z->out, slice_make((const char *)in + over, n - over)) != OK;
    z->at += n;
    return n;
}

static ZPOS64_T tell_buf(voidpf self, voidpf stream)
{
    struct zip *z = self;

    (void)stream;
    return z->at;
}

static long seek_buf(voidpf self, voidpf stream, ZPOS64_T offset, int origin)
{
    struct zip *z = self;
    size_t from = origin == ZLIB_FILEFUNC_SEEK_CUR ? z->at : origin == ZLIB_FILEFUNC_SEEK_END ? z->out->len : 0;

    (void)stream;
    if (!z->is_over && offset > z->out->len - from)
        return -1;
    z->at = from + (size_t)offset;
    return 0;
}

static int nothing(voidpf self, voidpf stream)
{
    (void)self;
    (void)stream;
    return 0;
}

enum code zip_new(struct zip **out_zip, struct buf *out, struct error *err)
{
    struct zip *z = mem_zalloc(sizeof *z);
    zlib_filefunc64_def functions = {.zopen64_file = open_buf,
                                     .zread_file = read_buf,
                                     .zwrite_file = write_buf,
                                     .ztell64_file = tell_buf,
                                     .zseek64_file = seek_buf,
                                     .zclose_file = nothing,
                                     .zerror_file = nothing,
                                     .opaque = z};

    z->out = out;
    z->file = zipOpen2_64("", APPEND_STATUS_CREATE, NULL, &functions);
    *out_zip = z->file != NULL ? z : NULL;
    if (z->file != NULL)
        return OK;
    mem_free(z);
    return error_set(err, NOMEM, "no memory for a zip archive");
}

static enum code no_room(struct error *err)
{
    return error_set(err, FULL, "the zip archive is too large");
}

enum code zip_add(struct zip *z, const char *name, int64_t time_s, struct slice content, struct error *err)
{
    time_t when = (time_t)time_s;
    zip_fileinfo info = {0};
    struct tm tm;
    int rc;

    if (gmtime_r(&when, &tm) != NULL && tm.tm_year >= 80) { /* its fields are int or unsigned, by version */
        info.tmz_date.tm_sec = (unsigned char)tm.tm_sec;
        info.tmz_date.tm_min = (unsigned char)tm.tm_min;
        info.tmz_date.tm_hour = (unsigned char)tm.tm_hour;
        info.tmz_date.tm_mday = (unsigned char)tm.tm_mday;
        info.tmz_date.tm_mon = (unsigned char)tm.tm_mon;
        info.tmz_date.tm_year = (unsigned short)(tm.tm_year + 1900);
    }
    if (content.len > INT_MAX ||
        zipOpenNewFileInZip(z->file, name, &info, NULL, 0, NULL, 0, NULL, Z_DEFLATED, Z_DEFAULT_COMPRESSION) != ZIP_OK)
        return no_room(err);
    rc = content.len == 0 ? ZIP_OK : zipWriteInFileInZip(z->file, content.ptr, (unsigned)content.len);
    if (zipCloseFileInZip(z->file) != ZIP_OK || rc != ZIP_OK || z->is_over)
        return no_room(err);
    return OK;
}

enum code zip_close(struct zip *z, struct error *err)
{
    enum code rc = zipClose(z->file, NULL) == ZIP_OK && !z->is_over ? OK : no_room(err);

    mem_free(z);
    return rc;
}
