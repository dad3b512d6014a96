#include "agent/components/loki/source_file/source_file.h"
#include <stddef.h>

static enum code validate(const void *args, struct river_problems *problems)
{
    const struct source_file_args *a = args;
    enum code rc = OK;

    if (a->decompression.enabled)
        rc = river_problem(problems, "decompression",
                           "reading compressed files is not built: set enabled = false, or decompress them first");
    if (a->watch.min_poll_ns > a->watch.max_poll_ns)
        rc = river_problem(problems, "file_watch", "min_poll_frequency must not be longer than max_poll_frequency");
    return rc;
}

static const struct river_field watch_fields[] = {
    {.name = "min_poll_frequency",
     .kind = RIVER_DURATION,
     .flags = RIVER_HAS_MIN,
     .min = 1000000,
     .def = "\"250ms\"",
     .offset = offsetof(struct file_watch_args, min_poll_ns),
     .doc = "The shortest time between two looks at a file."},
    {.name = "max_poll_frequency",
     .kind = RIVER_DURATION,
     .flags = RIVER_HAS_MIN,
     .min = 1000000,
     .def = "\"250ms\"",
     .offset = offsetof(struct file_watch_args, max_poll_ns),
     .doc = "The longest time between two looks at a file where inotify does not tell of changes."},
    RIVER_FIELDS_END,
};
static const struct river_block watch_block = {.name = "file_watch",
                                               .fields = watch_fields,
                                               .size = sizeof(struct file_watch_args),
                                               .doc = "How often files are looked at; inotify makes it sooner."};

static const struct river_field match_fields[] = {
    {.name = "enabled",
     .kind = RIVER_BOOL,
     .offset = offsetof(struct file_match_args, enabled),
     .def = "false",
     .doc = "Takes __path__ as a pattern (doublestar), less those of __path_exclude__."},
    {.name = "sync_period",
     .kind = RIVER_DURATION,
     .flags = RIVER_HAS_MIN,
     .min = 1000000,
     .def = "\"10s\"",
     .offset = offsetof(struct file_match_args, sync_period_ns),
     .doc = "How often patterns are matched again."},
    {.name = "ignore_older_than",
     .kind = RIVER_DURATION,
     .def = "\"0s\"",
     .offset = offsetof(struct file_match_args, ignore_older_than_ns),
     .doc = "Leaves out files not written to for so long; 0: none."},
    RIVER_FIELDS_END,
};
static const struct river_block match_block = {.name = "file_match",
                                               .fields = match_fields,
                                               .size = sizeof(struct file_match_args),
                                               .doc = "Patterns instead of paths."};

static const struct river_field decompression_fields[] = {
    {.name = "enabled",
     .kind = RIVER_BOOL,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct decompression_args, enabled),
     .doc = "false; reading compressed files is not built."},
    {.name = "initial_delay",
     .kind = RIVER_DURATION,
     .flags = RIVER_NO_EFFECT,
     .def = "\"0s\"",
     .offset = offsetof(struct decompression_args, initial_delay_ns),
     .doc = "Accepted for Alloy."},
    {.name = "format",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct decompression_args, format),
     .doc = "gz, z or bz2."},
    RIVER_FIELDS_END,
};
static const struct river_block decompression_block = {.name = "decompression",
                                                       .fields = decompression_fields,
                                                       .size = sizeof(struct decompression_args),
                                                       .doc = "Reading compressed files."};

static const struct river_enum encodings[] = {
    {"", FILE_UTF8},
    {"utf-8", FILE_UTF8},
    {"UTF-8", FILE_UTF8},
    {"utf8", FILE_UTF8},
    {"utf-16", FILE_UTF16},
    {"UTF-16", FILE_UTF16},
    {"utf-16le", FILE_UTF16_LE},
    {"UTF-16LE", FILE_UTF16_LE},
    {"utf-16be", FILE_UTF16_BE},
    {"UTF-16BE", FILE_UTF16_BE},
    {NULL, 0},
};
static const struct river_enum position_errors[] = {
    {"restart_from_beginning", POSITIONS_FROM_BEGINNING},
    {"restart_from_end", POSITIONS_FROM_END},
    {"skip", POSITIONS_SKIP},
    {NULL, 0},
};

#define ARG(member) offsetof(struct source_file_args, member)
static const struct river_field fields[] = {
    {.name = "targets",
     .kind = RIVER_TARGETS,
     .flags = RIVER_REQUIRED,
     .offset = ARG(targets),
     .doc = "Files to read: __path__ and the labels of their lines."},
    {.name = "forward_to",
     .kind = RIVER_CAPSULE_LIST,
     .flags = RIVER_REQUIRED,
     .offset = ARG(forward_to),
     .capsule = &capsule_logs_receiver,
     .doc = "Where to send the lines."},
    {.name = "encoding",
     .kind = RIVER_ENUM,
     .offset = ARG(encoding),
     .def = "\"\"",
     .choices = encodings,
     .doc = "The files' encoding; \"\" is UTF-8. Bad characters are replaced, counted."},
    {.name = "decompression",
     .kind = RIVER_BLOCK,
     .offset = ARG(decompression),
     .block = &decompression_block,
     .doc = "Reading compressed files (not built)."},
    {.name = "file_watch",
     .kind = RIVER_BLOCK,
     .offset = ARG(watch),
     .block = &watch_block,
     .doc = "How often files are looked at."},
    {.name = "file_match",
     .kind = RIVER_BLOCK,
     .offset = ARG(match),
     .block = &match_block,
     .doc = "Patterns instead of paths."},
    {.name = "tail_from_end",
     .kind = RIVER_BOOL,
     .offset = ARG(tail_from_end),
     .def = "false",
     .doc = "Begins at the end of a file that has no position."},
    {.name = "legacy_positions_file",
     .kind = RIVER_STRING,
     .offset = ARG(legacy_positions_file),
     .def = "\"\"",
     .doc = "A positions file of Promtail's or Alloy's, taken over once."},
    {.name = "on_positions_file_error",
     .kind = RIVER_ENUM,
     .offset = ARG(on_positions_error),
     .def = "\"restart_from_beginning\"",
     .choices = position_errors,
     .doc = "Where files begin whose positions cannot be read."},
    RIVER_FIELDS_END,
};
const struct river_block source_file_args_block = {.name = "loki.source.file",
                                                   .fields = fields,
                                                   .size = sizeof(struct source_file_args),
                                                   .validate = validate,
                                                   .doc = "Follows files and sends their lines."};
