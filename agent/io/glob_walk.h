/* agent/io/glob_walk.h - the regular files a path pattern matches. Symbolic links to files are followed; links to
 * directories only where the pattern names them without ** (a circle would never end). Blocks for as long as the disk
 * does. */
#ifndef AGENT_IO_GLOB_WALK_H
#define AGENT_IO_GLOB_WALK_H
#include "agent/io/file.h"

struct glob;

/* each(arg, path, stat) per file, in order of name within a folder. A folder that cannot be read is left out. FULL past
 * LIMIT_GLOB_MATCHES (those before were given). */
MUST_USE enum code glob_walk(const struct glob *g,
                             void (*each)(void *arg, const char *path, const struct file_stat *st), void *arg,
                             struct error *err);
#endif
