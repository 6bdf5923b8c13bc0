/* Alerts when the processes below one ancestor fail to open many files within a short time, as
 * they do when someone looks around for what can be read. Rule files cannot count.
 *
 * Settings: `failures` (50) within `seconds` (10). */
#include "saker.h"

#define COLUMNS(X)                                                                                 \
    X(pid, proc_pid, "")                                                                           \
    X(ancestors, proc_apid_all, "")                                                                \
    X(name, proc_name, "")                                                                         \
    X(path, evt_arg, ".name")
SAKER_COLUMNS(COLUMNS)

static const saker_text TAGS[] = {SAKER_TEXT("mitre_discovery"), SAKER_TEXT("T1083")};

static const saker_rule RULES[] = {{
    .name = SAKER_TEXT("Burst of failed opens"),
    .description = SAKER_TEXT("The processes below one ancestor fail to open many files."),
    .priority = SAKER_WARNING,
    .tags = TAGS,
    .tags_count = SAKER_COUNT(TAGS),
    .output = SAKER_TEXT("many files cannot be opened, the last by %proc.name (%proc.pid): "
                         "%evt.arg.name"),
}};

const saker_description saker_module = {
    .name = SAKER_TEXT("failed-opens"),
    .version = SAKER_TEXT("0.1.0"),
    .rules = RULES,
    .rules_count = SAKER_COUNT(RULES),
    .condition = SAKER_TEXT("evt.type in (open, openat, openat2) and evt.failed=true"),
    .fields = saker_columns,
    .fields_count = SAKER_COUNT(saker_columns),
    .state = SAKER_STATE_PROCESS_TREE,
};

static uint64_t failures_max = 50;
static uint64_t span = 10 * 1000000000ull;

/* What is known of a tree: since when, and how many. One that was forgotten for another that fell
 * on the same place begins anew. */
static struct {
    int64_t root;
    uint64_t since;
    uint64_t failures;
} trees[4096];

bool saker_init(const saker_setting *settings, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint64_t number;
        if (!saker_parse(settings[i].value, &number) || number == 0) {
            saker_refuse(saker_text_of("a setting takes a number above 0"));
            return false;
        }
        if (saker_equal(settings[i].key, saker_text_of("failures"))) {
            failures_max = number;
        } else if (saker_equal(settings[i].key, saker_text_of("seconds"))) {
            span = number * 1000000000ull;
        } else {
            saker_refuse(saker_text_of("there are only the settings `failures` and `seconds`"));
            return false;
        }
    }
    return true;
}

/* The topmost ancestor below the first process. */
static int64_t root_of(saker_row row) {
    int64_t root = get_pid(row);
    saker_signeds ancestors = get_ancestors(row);
    for (uint32_t i = 0; i < ancestors.count; i++) {
        int64_t pid = saker_signeds_at(ancestors, i);
        if (pid > 1) {
            root = pid;
        }
    }
    return root;
}

void saker_event(saker_row row) {
    int64_t root = root_of(row);
    uint32_t place = (uint32_t)((uint64_t)root * 0x9e3779b97f4a7c15ull >> 52);
    uint64_t time = saker_time(row);
    if (trees[place].root != root || time - trees[place].since > span) {
        trees[place].root = root;
        trees[place].since = time;
        trees[place].failures = 0;
    }
    trees[place].failures++;
    if (trees[place].failures == failures_max) {
        saker_alert *alert = saker_alert_by(0);
        saker_show_signed(alert, saker_text_of("tree.pid"), root);
        saker_show_unsigned(alert, saker_text_of("tree.failed_opens"), trees[place].failures);
    }
}

void saker_tick(uint64_t time) {
    (void)time;
}
