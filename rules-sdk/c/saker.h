/* Rule modules for Saker, written in C: this header is all there is to it.
 *
 * A module defines `saker_module`, `saker_init`, `saker_event` and `saker_tick`, and is built by
 * `saker module build` (clang for wasm32, no libc). Everything that crosses the border of the
 * sandbox does it by the structures below, which lie in memory exactly as the world of
 * `wit/rules.wit` wants them, so that nothing is copied or converted.
 *
 * Include it in one file only. `saker_fields.h` beside it has the fields that there are.
 */
#ifndef SAKER_H
#define SAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A text: not terminated, and not necessarily UTF-8 where it comes from an event. */
typedef struct {
    const char *bytes;
    uint32_t len;
} saker_text;

/* The text of a string literal. */
#define SAKER_TEXT(literal) {(literal), sizeof(literal) - 1}
/* The same, where an expression is wanted. */
#define saker_text_of(literal) ((saker_text)SAKER_TEXT(literal))
/* How many elements an array has. */
#define SAKER_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- what a module is ---- */

enum {
    SAKER_EMERGENCY,
    SAKER_ALERT,
    SAKER_CRITICAL,
    SAKER_ERROR,
    SAKER_WARNING,
    SAKER_NOTICE,
    SAKER_INFORMATIONAL,
    SAKER_DEBUG,
};

typedef struct {
    saker_text name;
    saker_text description;
    uint8_t priority;
    const saker_text *tags;
    uint32_t tags_count;
    /* With %field in it, for fields of the module's rows. */
    saker_text output;
} saker_rule;

/* What a module may want to be allowed. */
enum { SAKER_CLOCK, SAKER_KV, SAKER_METRICS, SAKER_HTTP };

/* What a module's memory is about. */
enum { SAKER_STATE_NONE, SAKER_STATE_CONTAINER, SAKER_STATE_PROCESS_TREE, SAKER_STATE_GLOBAL };

typedef struct {
    saker_text name;
    saker_text version;
    const saker_rule *rules;
    uint32_t rules_count;
    /* Only events that meet this are handed over. */
    saker_text condition;
    /* What rows hold; columns are counted from 0 in this order. */
    const saker_text *fields;
    uint32_t fields_count;
    /* One byte each. */
    const uint8_t *capabilities;
    uint32_t capabilities_count;
    uint8_t state;
} saker_description;

/* ---- what a module defines ---- */

/* A setting of the module. */
typedef struct {
    saker_text key;
    saker_text value;
} saker_setting;

/* A row: an event, as far as the module asked for it. Valid until `saker_event` returns. */
typedef struct {
    const uint8_t *bytes;
} saker_row;

extern const saker_description saker_module;

/* Called once, first. False refuses the module; `saker_refuse` says why. What `settings` refers
 * to is gone when it returns. */
bool saker_init(const saker_setting *settings, uint32_t count);

/* An event that meets the condition. They come in order. */
void saker_event(saker_row row);

/* The time of events has reached another second: nanoseconds since 1970. */
void saker_tick(uint64_t time);

/* What a server answered to a request, or why there is no answer. */
typedef struct {
    bool is_answer;
    /* Without an answer, why. */
    saker_text why;
    uint16_t status;
    /* Names, in small letters, and values. */
    const saker_setting *headers;
    uint32_t headers_count;
    saker_text body;
    /* The body was too long, and is cut. */
    bool is_cut;
} saker_outcome;

/* What came of a request of saker_http_submit. A module that submits some defines this, and
 * SAKER_RESPONSES before it includes this header. What it refers to is gone when it returns. */
#ifdef SAKER_RESPONSES
void saker_response(uint64_t request, const saker_outcome *outcome);
#endif

/* ---- alerts ---- */

enum { SAKER_VALUE_TEXT, SAKER_VALUE_SIGNED, SAKER_VALUE_UNSIGNED, SAKER_VALUE_REAL, SAKER_VALUE_BOOLEAN };

/* A value that an alert shows. */
typedef struct {
    saker_text name;
    uint8_t kind;
    union {
        saker_text text;
        int64_t signed_number;
        uint64_t unsigned_number;
        double real;
        uint8_t boolean;
    } value;
} saker_field;

typedef struct {
    uint8_t has_row;
    uint32_t row;
    uint32_t rule;
    uint8_t has_message;
    saker_text message;
    const saker_field *fields;
    uint32_t fields_count;
} saker_alert;

/* No batch gives more alerts, and no alert shows more values; what is more is left out. */
#ifndef SAKER_ALERTS_MAX
#define SAKER_ALERTS_MAX 64
#endif
#ifndef SAKER_FIELDS_MAX
#define SAKER_FIELDS_MAX 8
#endif

/* Alerts by a rule, about the event that was handed over; in `saker_tick`, about none. NULL where
 * there is no room for another. Texts that it is given must live until the batch is over: they
 * are literals, or the module's own. */
static saker_alert *saker_alert_by(uint32_t rule);
static void saker_show_text(saker_alert *alert, saker_text name, saker_text text);
static void saker_show_signed(saker_alert *alert, saker_text name, int64_t number);
static void saker_show_unsigned(saker_alert *alert, saker_text name, uint64_t number);
static void saker_show_real(saker_alert *alert, saker_text name, double number);

/* Says why `saker_init` returns false: a literal, or a text of the module's own. */
static void saker_refuse(saker_text why);

/* ---- rows: the layout is specified in rules/schema/src/offered.rs ---- */

static inline uint32_t saker_u32_at(const uint8_t *bytes) {
    return *(const uint32_t *)(const void *)bytes;
}

static inline uint64_t saker_u64_at(const uint8_t *bytes) {
    return *(const uint64_t *)(const void *)bytes;
}

/* When the event happened: nanoseconds since 1970. */
static inline uint64_t saker_time(saker_row row) {
    return saker_u64_at(row.bytes + 8);
}

/* The event's number. */
static inline uint64_t saker_number(saker_row row) {
    return saker_u64_at(row.bytes + 16);
}

/* Whether a column has a value. */
static inline bool saker_has(saker_row row, uint32_t column) {
    return row.bytes[32 + column / 8] >> (column % 8) & 1;
}

/* A column's slot: the value of a number, 0 where there is none. */
static inline uint64_t saker_unsigned(saker_row row, uint32_t column) {
    uint32_t words = (saker_module.fields_count + 63) / 64;
    return saker_u64_at(row.bytes + 32 + words * 8 + column * 8);
}

static inline int64_t saker_signed(saker_row row, uint32_t column) {
    return (int64_t)saker_unsigned(row, column);
}

static inline bool saker_boolean(saker_row row, uint32_t column) {
    return saker_unsigned(row, column) != 0;
}

/* The text that a slot refers to; an address is one of 4 or 16 bytes. */
static inline saker_text saker_text_in(saker_row row, uint64_t slot) {
    uint32_t at = (uint32_t)(slot >> 32);
    if (at == 0) {
        return (saker_text){"", 0};
    }
    return (saker_text){(const char *)row.bytes + at + 4, saker_u32_at(row.bytes + at)};
}

/* A column's text, empty where there is none. */
static inline saker_text saker_string(saker_row row, uint32_t column) {
    return saker_text_in(row, saker_unsigned(row, column));
}

/* How many values a column's list has. */
static inline uint32_t saker_list_count(saker_row row, uint32_t column) {
    return (uint32_t)saker_unsigned(row, column);
}

/* The slot of a list's element: a number, or for `saker_text_in`. */
static inline uint64_t saker_list_slot(saker_row row, uint32_t column, uint32_t index) {
    uint32_t at = (uint32_t)(saker_unsigned(row, column) >> 32);
    /* Lists of texts lie at multiples of 4 only. */
    const uint8_t *slot = row.bytes + at + index * 8;
    return saker_u32_at(slot) | (uint64_t)saker_u32_at(slot + 4) << 32;
}

/* A slot of a number with a fraction: its key, which keeps the order of numbers. */
static inline double saker_real_in(uint64_t key) {
    union {
        uint64_t bits;
        double real;
    } value;
    value.bits = key >> 63 ? key & ~(1ull << 63) : ~key;
    return value.real;
}

/* ---- columns by name and type ----
 *
 * A module says once what its rows hold, by names of its own, fields of `saker_fields.h`, and what
 * stands behind a field's name:
 *
 *     #define COLUMNS(X) X(program, proc_name, "") X(wanted, evt_arg, ".name") \
 *                        X(above, proc_apid_all, "")
 *     SAKER_COLUMNS(COLUMNS)
 *
 * This gives it `saker_columns`, the names for its description; `has_program(row)`, and
 * `get_program(row)` of the field's type. A field ending in `_all` is a list: `saker_texts` or
 * `saker_signeds`.
 */
#define SAKER_COLUMNS(COLUMNS)                                                                     \
    enum { COLUMNS(SAKER__COLUMN) SAKER__COLUMNS_COUNT };                                          \
    static const saker_text saker_columns[] = {COLUMNS(SAKER__NAME)};                              \
    COLUMNS(SAKER__GETTERS)

#define SAKER__COLUMN(own, field, rest) SAKER__COLUMN_##own,
#define SAKER__NAME(own, field, rest) SAKER_TEXT(SAKER_NAME_##field rest),
#define SAKER__GETTERS(own, field, rest)                                                           \
    __attribute__((unused)) static inline bool has_##own(saker_row row) {                          \
        return saker_has(row, SAKER__COLUMN_##own);                                                \
    }                                                                                              \
    __attribute__((unused)) static inline SAKER__JOIN(saker__as_, SAKER_KIND_##field)              \
        get_##own(saker_row row) {                                                                 \
        return SAKER__JOIN(saker__get_, SAKER_KIND_##field)(row, SAKER__COLUMN_##own);             \
    }
#define SAKER__JOIN(one, other) SAKER__JOINED(one, other)
#define SAKER__JOINED(one, other) one##other

/* Values of a list. */
typedef struct {
    saker_row row;
    uint32_t column;
    uint32_t count;
} saker_texts, saker_signeds;

/* The value of that number, below `count`. */
static inline saker_text saker_texts_at(saker_texts list, uint32_t index) {
    return saker_text_in(list.row, saker_list_slot(list.row, list.column, index));
}

/* The same. */
static inline int64_t saker_signeds_at(saker_signeds list, uint32_t index) {
    return (int64_t)saker_list_slot(list.row, list.column, index);
}

typedef saker_text saker__as_text;
typedef bool saker__as_boolean;
typedef int64_t saker__as_signed;
typedef uint64_t saker__as_unsigned;
typedef double saker__as_real;
typedef saker_texts saker__as_texts;
typedef saker_signeds saker__as_signeds;

static inline saker_text saker__get_text(saker_row row, uint32_t column) {
    return saker_string(row, column);
}

static inline bool saker__get_boolean(saker_row row, uint32_t column) {
    return saker_boolean(row, column);
}

static inline int64_t saker__get_signed(saker_row row, uint32_t column) {
    return saker_signed(row, column);
}

static inline uint64_t saker__get_unsigned(saker_row row, uint32_t column) {
    return saker_unsigned(row, column);
}

/* 0 where there is none. */
static inline double saker__get_real(saker_row row, uint32_t column) {
    return saker_has(row, column) ? saker_real_in(saker_unsigned(row, column)) : 0;
}

static inline saker_texts saker__get_texts(saker_row row, uint32_t column) {
    return (saker_texts){row, column, saker_list_count(row, column)};
}

static inline saker_signeds saker__get_signeds(saker_row row, uint32_t column) {
    return (saker_signeds){row, column, saker_list_count(row, column)};
}

#include "saker_fields.h"

/* ---- what a module may call ---- */

enum { SAKER_LOG_DEBUG, SAKER_LOG_INFO, SAKER_LOG_WARN, SAKER_LOG_ERROR };

/* Says something to whoever runs Saker. */
__attribute__((import_module("saker:rules/log@0.1.0"), import_name("write"))) void
saker__log(uint32_t level, const char *message, uint32_t len);

static inline void saker_log(uint32_t level, saker_text message) {
    saker__log(level, message.bytes, message.len);
}

/* The time, in nanoseconds since 1970 and whole milliseconds. Wants SAKER_CLOCK. */
__attribute__((import_module("saker:rules/clock@0.1.0"), import_name("now"))) uint64_t
saker_now(void);

__attribute__((import_module("saker:rules/kv@0.1.0"), import_name("get"))) void
saker__kv_get(const char *key, uint32_t len, uint32_t *result);
__attribute__((import_module("saker:rules/kv@0.1.0"), import_name("set"))) void
saker__kv_set(const char *key, uint32_t key_len, const char *value, uint32_t len, uint8_t *result);
__attribute__((import_module("saker:rules/kv@0.1.0"), import_name("delete"))) void
saker__kv_delete(const char *key, uint32_t len);

/* What is kept under a key: false if nothing. The text is gone when the call of the module ends.
 * Wants SAKER_KV, as do the others. */
static inline bool saker_kv_get(saker_text key, saker_text *value) {
    uint32_t result[3];
    saker__kv_get(key.bytes, key.len, result);
    if (!(result[0] & 1)) {
        return false;
    }
    *value = (saker_text){(const char *)(uintptr_t)result[1], result[2]};
    return true;
}

/* Keeps a value; false where there is no room, or one is too long. */
static inline bool saker_kv_set(saker_text key, saker_text value) {
    uint8_t result[2];
    saker__kv_set(key.bytes, key.len, value.bytes, value.len, result);
    return result[0] == 0;
}

static inline void saker_kv_delete(saker_text key) {
    saker__kv_delete(key.bytes, key.len);
}

__attribute__((import_module("saker:rules/metrics@0.1.0"), import_name("add"))) void
saker__metrics_add(const char *name, uint32_t len, uint64_t by, uint8_t *result);
__attribute__((import_module("saker:rules/metrics@0.1.0"), import_name("set"))) void
saker__metrics_set(const char *name, uint32_t len, double value, uint8_t *result);

/* Adds to a number that only grows; false where it is none, or there are too many. Wants
 * SAKER_METRICS, as does the other. */
static inline bool saker_metric_add(saker_text name, uint64_t by) {
    uint8_t result[2];
    saker__metrics_add(name.bytes, name.len, by, result);
    return result[0] == 0;
}

/* Sets a number that goes up and down. */
static inline bool saker_metric_set(saker_text name, double value) {
    uint8_t result[2];
    saker__metrics_set(name.bytes, name.len, value, result);
    return result[0] == 0;
}

enum {
    SAKER_HTTP_NOT_ALLOWED,
    SAKER_HTTP_INVALID,
    SAKER_HTTP_TOO_LONG,
    SAKER_HTTP_FULL,
    SAKER_HTTP_UNAVAILABLE,
    SAKER_HTTP_QUEUED,
};

__attribute__((import_module("saker:rules/http@0.1.0"), import_name("submit"))) void
saker__http_submit(const char *method, uint32_t method_len, const char *url, uint32_t url_len,
                   const saker_setting *headers, uint32_t headers_count, const char *body,
                   uint32_t body_len, uint64_t *result);

/* Queues a request to a server that the settings name: SAKER_HTTP_QUEUED and its number, or why
 * not. Wants SAKER_HTTP. */
static inline uint8_t saker_http_submit(saker_text method, saker_text url,
                                        const saker_setting *headers, uint32_t headers_count,
                                        saker_text body, uint64_t *number) {
    uint64_t result[2];
    saker__http_submit(method.bytes, method.len, url.bytes, url.len, headers, headers_count,
                       body.bytes, body.len, result);
    if (result[0] & 1) {
        return (uint8_t)result[1];
    }
    *number = result[1];
    return SAKER_HTTP_QUEUED;
}

/* ---- texts ---- */

static inline bool saker_equal(saker_text one, saker_text other) {
    if (one.len != other.len) {
        return false;
    }
    for (uint32_t i = 0; i < one.len; i++) {
        if (one.bytes[i] != other.bytes[i]) {
            return false;
        }
    }
    return true;
}

/* A setting's value as a number; false if it is none. */
static inline bool saker_parse(saker_text text, uint64_t *number) {
    uint64_t sum = 0;
    if (text.len == 0 || text.len > 18) {
        return false;
    }
    for (uint32_t i = 0; i < text.len; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9') {
            return false;
        }
        sum = sum * 10 + (uint64_t)(text.bytes[i] - '0');
    }
    *number = sum;
    return true;
}

/* ---- between the module and the world; nothing below concerns a module ---- */

/* The compiler may call these where no libc has them. */
__attribute__((weak, no_builtin("memset"))) void *memset(void *at, int byte, size_t len) {
    for (size_t i = 0; i < len; i++) {
        ((volatile uint8_t *)at)[i] = (uint8_t)byte;
    }
    return at;
}

__attribute__((weak, no_builtin("memcpy"))) void *memcpy(void *to, const void *from, size_t len) {
    for (size_t i = 0; i < len; i++) {
        ((volatile uint8_t *)to)[i] = ((const uint8_t *)from)[i];
    }
    return to;
}

_Static_assert(sizeof(saker_rule) == 36, "as the world has it");
_Static_assert(sizeof(saker_description) == 52, "as the world has it");
_Static_assert(sizeof(saker_alert) == 32, "as the world has it");
_Static_assert(sizeof(saker_field) == 24, "as the world has it");

static struct {
    saker_alert alerts[SAKER_ALERTS_MAX];
    saker_field fields[SAKER_ALERTS_MAX][SAKER_FIELDS_MAX];
    uint32_t count;
    /* The row that is judged. */
    bool has_row;
    uint32_t row;
    /* What is returned refers to. */
    struct {
        const saker_alert *alerts;
        uint32_t count;
    } answer;
    struct {
        uint8_t is_error;
        saker_text why;
    } start;
    /* What the host puts into the module's memory lies from here on, until a call is over. */
    uintptr_t arena;
} saker__;

__attribute__((unused)) static void saker_refuse(saker_text why) {
    saker__.start.why = why;
}

__attribute__((unused)) static saker_alert *saker_alert_by(uint32_t rule) {
    if (saker__.count == SAKER_ALERTS_MAX) {
        return NULL;
    }
    saker_alert *alert = &saker__.alerts[saker__.count];
    alert->has_row = saker__.has_row;
    alert->row = saker__.row;
    alert->rule = rule;
    alert->has_message = 0;
    alert->fields = saker__.fields[saker__.count];
    alert->fields_count = 0;
    saker__.count++;
    return alert;
}

static saker_field *saker__field(saker_alert *alert, saker_text name, uint8_t kind) {
    static saker_field nowhere;
    if (alert == NULL || alert->fields_count == SAKER_FIELDS_MAX) {
        return &nowhere;
    }
    saker_field *field = (saker_field *)&alert->fields[alert->fields_count++];
    field->name = name;
    field->kind = kind;
    return field;
}

__attribute__((unused)) static void saker_show_text(saker_alert *alert, saker_text name,
                                                    saker_text text) {
    saker__field(alert, name, SAKER_VALUE_TEXT)->value.text = text;
}

__attribute__((unused)) static void saker_show_signed(saker_alert *alert, saker_text name,
                                                      int64_t number) {
    saker__field(alert, name, SAKER_VALUE_SIGNED)->value.signed_number = number;
}

__attribute__((unused)) static void saker_show_unsigned(saker_alert *alert, saker_text name,
                                                        uint64_t number) {
    saker__field(alert, name, SAKER_VALUE_UNSIGNED)->value.unsigned_number = number;
}

__attribute__((unused)) static void saker_show_real(saker_alert *alert, saker_text name,
                                                    double number) {
    saker__field(alert, name, SAKER_VALUE_REAL)->value.real = number;
}

#define SAKER__EXPORT(name) __attribute__((export_name(name), used))

extern uint8_t __heap_base;

/* Hands out memory behind what was handed out before; all of it is free again when a call ends. */
SAKER__EXPORT("cabi_realloc")
void *saker__realloc(void *old, uint32_t old_len, uint32_t align, uint32_t len) {
    if (saker__.arena == 0) {
        saker__.arena = (uintptr_t)&__heap_base;
    }
    uintptr_t at = (saker__.arena + align - 1) & ~(uintptr_t)(align - 1);
    uintptr_t end = at + len;
    uintptr_t pages = __builtin_wasm_memory_size(0);
    if (end < at || (end > pages << 16 &&
                     __builtin_wasm_memory_grow(0, (end - (pages << 16) + 0xffff) >> 16) ==
                         (size_t)-1)) {
        __builtin_trap();
    }
    saker__.arena = end;
    uint8_t *place = (uint8_t *)at;
    if (old_len > 0) {
        memcpy(place, old, old_len < len ? old_len : len);
    }
    return place;
}

static void saker__begin(void) {
    saker__.count = 0;
    saker__.has_row = false;
}

static void *saker__end(void) {
    saker__.answer.alerts = saker__.alerts;
    saker__.answer.count = saker__.count;
    return &saker__.answer;
}

SAKER__EXPORT("saker:rules/module@0.1.0#describe")
const void *saker__describe(void) {
    return &saker_module;
}

SAKER__EXPORT("saker:rules/module@0.1.0#init")
const void *saker__init(const saker_setting *settings, uint32_t count, const void *layout,
                        uint32_t columns) {
    (void)layout;
    if (columns != saker_module.fields_count) {
        __builtin_trap();
    }
    saker__.start.why = saker_text_of("the settings are wrong");
    saker__.start.is_error = !saker_init(settings, count);
    saker__.arena = 0;
    return &saker__.start;
}

SAKER__EXPORT("saker:rules/module@0.1.0#on-batch")
const void *saker__on_batch(const uint8_t *rows, uint32_t bytes) {
    saker__begin();
    uint32_t number = 0;
    for (uint32_t at = 0; at < bytes; at += saker_u32_at(rows + at)) {
        saker__.has_row = true;
        saker__.row = number++;
        saker_event((saker_row){rows + at});
    }
    return saker__end();
}

SAKER__EXPORT("saker:rules/module@0.1.0#on-tick")
const void *saker__on_tick(uint64_t time) {
    saker__begin();
    saker_tick(time);
    return saker__end();
}

SAKER__EXPORT("saker:rules/module@0.1.0#on-response")
const void *saker__on_response(uint64_t request, uint32_t is_error, uint32_t one, uint32_t two,
                               uint32_t three, uint32_t four, uint32_t five, uint32_t cut) {
    saker__begin();
#ifdef SAKER_RESPONSES
    saker_outcome outcome = {.is_answer = !is_error};
    if (is_error) {
        outcome.why = (saker_text){(const char *)(uintptr_t)one, two};
    } else {
        outcome.status = (uint16_t)one;
        outcome.headers = (const saker_setting *)(uintptr_t)two;
        outcome.headers_count = three;
        outcome.body = (saker_text){(const char *)(uintptr_t)four, five};
        outcome.is_cut = cut;
    }
    saker_response(request, &outcome);
#else
    (void)request, (void)is_error, (void)one, (void)two, (void)three, (void)four, (void)five;
    (void)cut;
#endif
    return saker__end();
}

/* An answer was taken. */
SAKER__EXPORT("cabi_post_saker:rules/module@0.1.0#on-batch")
void saker__batch_over(const void *answer) {
    (void)answer;
    saker__.arena = 0;
}

SAKER__EXPORT("cabi_post_saker:rules/module@0.1.0#on-tick")
void saker__tick_over(const void *answer) {
    (void)answer;
    saker__.arena = 0;
}

SAKER__EXPORT("cabi_post_saker:rules/module@0.1.0#on-response")
void saker__response_over(const void *answer) {
    (void)answer;
    saker__.arena = 0;
}

#endif
