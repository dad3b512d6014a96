/* Checkouts of repositories made with the git program. */
#include "agent/runtime/git_checkout.h"
#include "agent/base/mem.h"
#include "tests/unit/io/latch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static struct loops *loops;
static char folder[64];

static void shell(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* In a shell that has $F, the test's folder, and git set up for commits. */
static void shell(const char *fmt, ...)
{
    char script[2048], whole[4096];
    va_list args;

    va_start(args, fmt);
    vsnprintf(script, sizeof script, fmt, args);
    va_end(args);
    snprintf(whole, sizeof whole,
             "set -e; F='%s'; export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a "
             "GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b; %s",
             folder, script);
    if (system(whole) != 0)
        fail_msg("%s", script);
}

struct pull {
    struct git_checkout *git;
    bool accepts;
    struct latch done;
    char error[512], commit[80], root[256];
};

static void on_done(void *arg, const struct git_result *r)
{
    struct pull *p = arg;

    snprintf(p->error, sizeof p->error, "%s", r->error != NULL ? r->error : "");
    snprintf(p->commit, sizeof p->commit, "%s", r->commit);
    snprintf(p->root, sizeof p->root, "%s", r->error == NULL ? r->root : "");
    if (r->error == NULL && p->accepts)
        git_checkout_accept(p->git);
    latch_hit(&p->done);
}

static void start_pull(void *arg)
{
    struct pull *p = arg;

    git_checkout_pull(p->git, on_done, p);
}

static void pull(struct pull *p)
{
    p->done = (struct latch)LATCH_INIT;
    loop_post(loops_worker(loops, 0), start_pull, p);
    assert_true(latch_wait(&p->done, 1));
}

static struct latch gone;

static void on_gone(void *arg)
{
    (void)arg;
    latch_hit(&gone);
}

static void free_on_loop(void *arg)
{
    git_checkout_free(arg, on_gone, NULL);
}

static void end(struct pull *p)
{
    gone = (struct latch)LATCH_INIT;
    loop_post(loops_worker(loops, 0), free_on_loop, p->git);
    assert_true(latch_wait(&gone, 1));
}

static struct pull begin(const char *repository, const char *revision)
{
    struct git_options options = {.repository = slice_str(repository), .revision = slice_str(revision)};
    char data[128];

    snprintf(data, sizeof data, "%s/data", folder);
    return (struct pull){.git = git_checkout_new(loops_worker(loops, 0), data, &options), .accepts = true};
}

static char *url(void)
{
    static char text[128];

    snprintf(text, sizeof text, "file://%s/origin", folder);
    return text;
}

static const char *content(const char *root, const char *name)
{
    static char text[256];
    char path[512];
    size_t n;
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", root, name);
    f = fopen(path, "r");
    if (f == NULL)
        return "(absent)";
    n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s", "/tmp/hyagent-test-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    shell("git init -q -b trunk $F/origin; cd $F/origin; mkdir sub; echo one > a; echo deep > sub/b; git add .; "
          "git commit -qm 1; git tag v1; git branch side; echo two > a; git commit -qam 2");
    return loops_new(&loops, 1, NULL) == OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    loops_free(loops);
    shell("rm -rf $F");
    return 0;
}

static void a_revision_is_a_branch_a_tag_a_commit_or_the_default_branch(void **state)
{
    static const char *const commands[] = {"HEAD", "v1", "HEAD~1", "HEAD"};
    static const struct {
        const char *revision, *want;
    } rows[] = {{"HEAD", "two\n"}, {"trunk", "two\n"}, {"side", "one\n"}, {"v1", "one\n"}, {"trunk~1", "one\n"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct pull p = begin(url(), rows[i].revision);

        pull(&p);
        assert_string_equal(p.error, "");
        assert_string_equal(content(p.root, "a"), rows[i].want);
        assert_string_equal(content(p.root, "sub/b"), "deep\n");
        end(&p);
        shell("rm -rf $F/data");
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        char commit[64];
        struct pull p;
        char name[128];

        shell("cd $F/origin; git rev-parse '%s^{commit}' | tr -d '\\n' > $F/commit", commands[i]);
        snprintf(commit, sizeof commit, "%s", content(folder, "commit"));
        if (i == 3)
            commit[9] = '\0'; /* cut short, as people write it */
        p = begin(url(), commit);
        pull(&p);
        assert_string_equal(p.error, "");
        assert_memory_equal(p.commit, commit, strlen(commit));
        snprintf(name, sizeof name, "%s/data/at/%s", folder, p.commit);
        assert_string_equal(p.root, name);
        end(&p);
        shell("rm -rf $F/data");
    }
}

static void a_pull_brings_what_is_new_and_removes_what_is_old(void **state)
{
    struct pull p = begin(url(), "trunk");
    char first[256], second[256];

    (void)state;
    pull(&p);
    snprintf(first, sizeof first, "%s", p.root);
    pull(&p);
    assert_string_equal(p.root, first); /* nothing new */
    shell("cd $F/origin; echo three > a; git commit -qam 3");
    p.accepts = false;
    pull(&p);
    assert_string_equal(content(p.root, "a"), "three\n");
    assert_string_equal(content(first, "a"), "two\n"); /* in use until the new one is accepted */
    pull(&p);
    assert_string_equal(content(first, "a"), "two\n");
    p.accepts = true;
    pull(&p);
    snprintf(second, sizeof second, "%s", p.root);
    pull(&p);
    assert_string_equal(content(first, "a"), "(absent)");
    assert_string_equal(content(second, "a"), "three\n");
    shell("cd $F/origin; git checkout -q --orphan other; echo four > a; git add a; git commit -qm 4; git branch -M "
          "trunk");
    pull(&p); /* history was rewritten */
    assert_string_equal(content(p.root, "a"), "four\n");
    end(&p);
}

static void what_fails_is_said_and_mends_itself(void **state)
{
    struct pull p = begin(url(), "later");

    (void)state;
    pull(&p);
    assert_non_null(strstr(p.error, "there is no branch, tag or commit later"));
    shell("cd $F/origin; git branch later");
    pull(&p);
    assert_string_equal(p.error, "");
    shell("mv $F/origin $F/away");
    pull(&p);
    assert_non_null(strstr(p.error, "fatal:"));
    shell("mv $F/away $F/origin");
    pull(&p);
    assert_string_equal(p.error, "");
    end(&p);
}

static void what_was_accepted_is_known_after_a_restart(void **state)
{
    struct pull p = begin(url(), "trunk");
    struct git_result before = {0};
    char commit[80];

    (void)state;
    assert_false(git_checkout_recall(p.git, &before)); /* nothing yet */
    p.accepts = false;
    pull(&p);
    end(&p);
    p = begin(url(), "trunk");
    assert_false(git_checkout_recall(p.git, &before)); /* pulled, but not accepted */
    pull(&p);
    snprintf(commit, sizeof commit, "%s", p.commit);
    end(&p);
    p = begin(url(), "trunk");
    assert_true(git_checkout_recall(p.git, &before));
    assert_string_equal(before.commit, commit);
    assert_string_equal(content(before.root, "a"), "two\n");
    end(&p);
    p = begin(url(), "side");
    assert_false(git_checkout_recall(p.git, &before)); /* of another revision */
    end(&p);
    shell("rm -rf $F/data/at/*");
    p = begin(url(), "trunk");
    assert_false(git_checkout_recall(p.git, &before)); /* the files are gone */
    end(&p);
    shell("echo 'x ../../etc' > $F/data/current");
    p = begin(url(), "trunk");
    assert_false(git_checkout_recall(p.git, &before));
    end(&p);
}

static void no_hook_and_no_configuration_of_the_machine_is_used(void **state)
{
    struct pull p;

    (void)state;
    shell("mkdir -p $F/hooks $F/data/repo.git; for h in post-checkout reference-transaction; do "
          "printf '#!/bin/sh\\ntouch %s/ran\\n' > $F/hooks/$h; chmod +x $F/hooks/$h; done; "
          "printf '[core]\\n\\thooksPath = %s/hooks\\n[url \"/nowhere\"]\\n\\tinsteadOf = file://\\n' > $F/config",
          folder, folder);
    shell("git init -q --bare $F/data/repo.git; cp $F/hooks/* $F/data/repo.git/hooks/");
    setenv("HOME", folder, 1);
    shell("cp $F/config $F/.gitconfig");
    p = begin(url(), "trunk");
    pull(&p);
    assert_string_equal(p.error, "");
    assert_string_equal(content(folder, "ran"), "(absent)");
    end(&p);
}

static void a_free_in_the_middle_of_a_pull_ends_it(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct pull p = begin(url(), "trunk");

        p.done = (struct latch)LATCH_INIT;
        loop_post(loops_worker(loops, 0), start_pull, &p);
        usleep((useconds_t)i * 8000);
        end(&p);
    }
}

static void what_git_would_take_for_something_else_is_refused(void **state)
{
    static const char *const revisions[] = {"",     "-x",         "--upload-pack=x", "a b", "a:b", "+a", "refs/*",
                                            "a\nb", "FETCH_HEAD", "ORIG_HEAD",       "a?",  "a[",  "a\\"};
    static const char *const repositories[] = {"", "-x", "--upload-pack=sh", "ext::sh -c x", "a\nb", "fd::3"};
    static const char *const good[] = {"main", "v1.2", "feature/x", "0123abc", "HEAD", "HEAD~2", "refs/heads/x"};

    (void)state;
    for (size_t i = 0; i < sizeof revisions / sizeof revisions[0]; i++)
        assert_int_equal(git_check_revision(slice_str(revisions[i]), NULL), INVALID);
    for (size_t i = 0; i < sizeof repositories / sizeof repositories[0]; i++)
        assert_int_equal(git_check_repository(slice_str(repositories[i]), NULL), INVALID);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(git_check_revision(slice_str(good[i]), NULL), OK);
    assert_int_equal(git_check_repository(SLICE_LIT("git@host:a/b.git"), NULL), OK);
    assert_int_equal(git_check_repository(SLICE_LIT("https://host/a.git"), NULL), OK);
}

#define REPOSITORY_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        REPOSITORY_TEST(a_revision_is_a_branch_a_tag_a_commit_or_the_default_branch),
        REPOSITORY_TEST(a_pull_brings_what_is_new_and_removes_what_is_old),
        REPOSITORY_TEST(what_fails_is_said_and_mends_itself),
        REPOSITORY_TEST(what_was_accepted_is_known_after_a_restart),
        REPOSITORY_TEST(no_hook_and_no_configuration_of_the_machine_is_used),
        REPOSITORY_TEST(a_free_in_the_middle_of_a_pull_ends_it),
        cmocka_unit_test(what_git_would_take_for_something_else_is_refused),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
