#!/usr/bin/env python3
"""House rules a compiler does not know: banned calls, leftovers, overgrown files. usage: check_source.py [ROOT]"""
import os
import re
import sys

# call -> what to use; the files that may use it
BANNED = {
    "strcpy": ("buf.h or snprintf", ()),
    "strncpy": ("buf.h or snprintf", ()),
    "strcat": ("buf.h", ()),
    "sprintf": ("snprintf or buf_printf", ()),
    "vsprintf": ("vsnprintf", ()),
    "strtok": ("slice_cut", ()),
    "atoi": ("slice_to_i64", ()),
    "atol": ("slice_to_i64", ()),
    "atof": ("slice_to_f64", ()),
    "gets": ("fgets", ()),
    "alloca": ("arena.h", ()),
    "malloc": ("mem.h or arena.h", ("agent/base/mem.c",)),
    "calloc": ("mem.h or arena.h", ("agent/base/mem.c",)),
    "realloc": ("mem.h or arena.h", ("agent/base/mem.c",)),
    "strdup": ("mem_strdup", ()),
    "strndup": ("mem_strndup", ()),
    "asprintf": ("mem_printf", ()),
    "system": ("posix_spawn", ()),
}
# What a library allocated with malloc is freed with free.
CALL = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(BANNED))
COMMENT_OR_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
LEFTOVER = re.compile(r"\b(%s)\b" % "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")))
LONGEST_FILE = 800
SKIPPED_FOLDERS = {".git", "build", "node_modules", "__pycache__", ".venv", "data-hyagent", "corpus"}
TEXT = (".c", ".cc", ".h", ".py", ".sh", ".md", ".cmake", ".txt", ".json", ".river", ".yaml", ".yml", ".proto", ".js")


def blank(match):
    """Keeps line numbers."""
    return re.sub(r"[^\n]", " ", match.group())


def judge_c(path, text, complain):
    code = COMMENT_OR_STRING.sub(blank, text)
    for match in CALL.finditer(code):
        instead, allowed = BANNED[match.group(1)]
        if path not in allowed:
            complain(path, code.count("\n", 0, match.start()) + 1, f"{match.group(1)}: use {instead}")
    if text.count("\n") > LONGEST_FILE:
        complain(path, LONGEST_FILE, f"{text.count(chr(10))} lines: does it still do one thing?")


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    complaints, seen = [], 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in SKIPPED_FOLDERS)
        for name in sorted(names):
            path = os.path.relpath(os.path.join(folder, name), root)
            if not name.endswith(TEXT) and path not in ("hy", ".ci/run"):
                continue
            with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
                text = f.read()
            seen += 1
            complain = lambda where, line, what: complaints.append(f"{where}:{line}: {what}")
            for match in LEFTOVER.finditer(text):
                complain(path, text.count("\n", 0, match.start()) + 1, f"{match.group()}: finish it or refuse it in words")
            if path.startswith(("agent/", "exporters/")) and name.endswith((".c", ".h")):
                judge_c(path, text, complain)
    print("\n".join(complaints + [f"{seen} files, {len(complaints)} complaints"]))
    return 1 if complaints or not seen else 0


sys.exit(main())
