# Takings: one makefile for everything; objects and generated files go under build/.
# `make help` lists the targets.

.DEFAULT_GOAL := build
SHELL := /bin/bash
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
SAN ?=
B := build$(if $(SAN),/san)
VERSION := 2.0.0

CPPFLAGS := -D_GNU_SOURCE -DTAKINGS_VERSION='"$(VERSION)"' -Ilib -I. -I$(B)/gen
WARN := -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wvla -Walloca -Wstrict-prototypes \
        -Wmissing-prototypes -Wundef -Werror
HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE
ifneq ($(SAN),)
CFLAGS := -std=c17 -g -O1 $(WARN) -fno-omit-frame-pointer -fsanitize=address,undefined \
          -fno-sanitize-recover=undefined -fPIE
LDFLAGS := -pie -rdynamic -fsanitize=address,undefined
else
CFLAGS := -std=c17 -g -O2 -D_FORTIFY_SOURCE=3 $(WARN) $(HARDEN)
LDFLAGS := -pie -rdynamic -Wl,-z,relro,-z,now,-z,noexecstack
endif

# `make V=1` shows the commands.
QUIET = $(if $(V),,@echo '  $(notdir $@)' &&)

# Asked for lazily, so that `make help` and `make deps` work on a bare machine.
PG_CFLAGS = $(shell pkg-config --cflags libpq)
PG_LIBS = $(shell pkg-config --libs libpq)
MARIADB_CFLAGS = $(shell pkg-config --cflags libmariadb)
MARIADB_LIBS = $(shell pkg-config --libs libmariadb)
SECRET_LIBS = $(shell pkg-config --libs libjwt libsodium jansson)
KAFKA_LIBS = $(shell pkg-config --libs rdkafka)
STREAM_LIBS = $(shell pkg-config --libs rdkafka libwebsockets libcurl hiredis)

LIB_SRC := $(wildcard lib/*/*.c)
BATCH_SRC := $(wildcard batch/*.c)
WEB_SRC := $(wildcard cgi-bin/*.c)
STREAM_SRC := $(wildcard stream/*.c)
UNIT_SRC := $(wildcard tests/unit/*/test_*.c)
CLIENT_SRC := $(wildcard tests/api/*.c tests/stream/*.c)

EMBEDDED := $(sort $(wildcard sql/migrations/*.sql sql/queries/*.sql templates/*.html))
STATIC := $(sort $(wildcard static/css/*.css static/js/*.js))

# What other sites load is small: without comments, indentation and spaces.
static/tracker.js: static/js/tracker.src.js
	$(QUIET)sed -E '/^[[:space:]]*\/\//d; s/^\t+//; s/ ?([]=+?:{}(),;<>&|![]+) ?/\1/g' $< > $@

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
LIB_OBJ := $(call obj,$(LIB_SRC)) $(B)/obj/gen/assets.o
PROGRAMS := $(B)/takings-batch $(B)/takings-web $(B)/takings-stream

.PHONY: build help
build: $(PROGRAMS) static/tracker.js ## compile the three programs into build/

help: ## this list
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

# ---- compiling ----------------------------------------------------------------

$(B)/gen/assets.c: $(EMBEDDED) $(STATIC) tools/embed.sh
	@mkdir -p $(@D)
	$(QUIET)tools/embed.sh "$$(cat $(STATIC) | sha256sum | cut -c 1-12)" $(EMBEDDED) > $@

$(B)/obj/gen/assets.o: $(B)/gen/assets.c
	@mkdir -p $(@D)
	$(QUIET)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(B)/gen/git_sha.h: $(wildcard .git/logs/HEAD)
	@mkdir -p $(@D)
	@printf '#define TAKINGS_GIT_SHA "%s"\n' "$$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)" > $@

$(B)/obj/cgi-bin/metrics.o $(B)/obj/cgi-bin/info.o: $(B)/gen/git_sha.h

# The same bits whichever compiler: none may join a product and a sum into one operation.
$(B)/obj/lib/forecast/%.o: CFLAGS += -ffp-contract=off

$(B)/obj/lib/db/source_mysql.o: CPPFLAGS += $(MARIADB_CFLAGS)

$(B)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(QUIET)$(CC) $(CPPFLAGS) $(PG_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# An archive, so that each program takes only what it calls: takings-web knows no
# MySQL, takings-batch no FastCGI.
$(B)/libtakings.a: $(LIB_OBJ)
	$(QUIET)rm -f $@ && ar rcs $@ $^

$(B)/takings-batch: $(call obj,$(BATCH_SRC)) $(B)/libtakings.a
	$(QUIET)$(CC) $(LDFLAGS) -o $@ $^ $(PG_LIBS) $(MARIADB_LIBS) $(SECRET_LIBS) $(KAFKA_LIBS) -lm -lpthread

$(B)/takings-web: $(call obj,$(WEB_SRC)) $(B)/libtakings.a
	$(QUIET)$(CC) $(LDFLAGS) -o $@ $^ $(PG_LIBS) $(SECRET_LIBS) $(KAFKA_LIBS) -lfcgi -lm -lpthread

$(B)/takings-stream: $(call obj,$(STREAM_SRC)) $(B)/libtakings.a
	$(QUIET)$(CC) $(LDFLAGS) -o $@ $^ $(PG_LIBS) $(SECRET_LIBS) $(STREAM_LIBS) -lm -lpthread

-include $(patsubst %.o,%.d,$(call obj,$(LIB_SRC) $(BATCH_SRC) $(WEB_SRC) $(STREAM_SRC) $(UNIT_SRC) $(CLIENT_SRC)))

# ---- documents made from the program's own tables -------------------------------

.PHONY: docs
docs: build/takings-batch ## docs/CONFIG.md, docs/METRICS.md and .env.example from their tables
	build/takings-batch config --markdown > docs/CONFIG.md
	build/takings-batch config --metrics > docs/METRICS.md
	build/takings-batch config --env-example > .env.example

-include Makefile.instance
-include Makefile.test
-include Makefile.bench
