# todo-fcgi: build, run, test. GNU make, one file, no recursion.
#
#   make            programs in build/release/handlers/
#   make run        everything installed, started and served at a printed URL, until Ctrl-C
#   make test       every test, on ports, a database and folders of its own
#   make CONFIG=asan ...   the same with the address and undefined-behaviour sanitizers

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.SECONDARY:

CONFIG ?= release
OUT    := build/$(CONFIG)

FLAGS.release := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection \
                 -fcf-protection
FLAGS.asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
                 -fno-omit-frame-pointer
ifeq ($(FLAGS.$(CONFIG)),)
  $(error CONFIG must be "release" or "asan", not "$(CONFIG)")
endif

CXX      := g++
CXXFLAGS := -std=c++20 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -fPIE -MMD -MP -I. \
            -isystem /usr/include/postgresql -I$(OUT)/generated $(FLAGS.$(CONFIG))
LDFLAGS  := -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(FLAGS.$(CONFIG))
LDLIBS   := -lfcgi -lpq -lcrypto -lutf8proc

NAMES    := $(patsubst handlers/%.cpp,%,$(wildcard handlers/*.cpp))
PROGRAMS := $(NAMES:%=$(OUT)/handlers/%)
LIBRARY  := $(OUT)/libtodo.a
# Every program but `fallback` says which requests it answers; `fallback` is built from that list.
ROUTED   := $(filter-out $(OUT)/handlers/fallback,$(PROGRAMS))
ROUTES   := $(OUT)/routes.tsv

.PHONY: all
all: $(PROGRAMS) $(ROUTES)

$(OUT)/obj/%.o: %.cpp Makefile
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) -c $< -o $@

$(LIBRARY): $(patsubst %.cpp,$(OUT)/obj/%.o,$(wildcard lib/*.cpp))
	@rm -f $@
	ar rcs $@ $^

$(OUT)/handlers/%: $(OUT)/obj/handlers/%.o $(LIBRARY)
	@mkdir -p $(@D)
	$(CXX) $(LDFLAGS) $^ $(LDLIBS) -o $@

# program <tab> methods <tab> path pattern: the one list from which all that must agree is made.
# Where two patterns fit one path, the one that ends in a literal is meant: it comes first.
$(ROUTES): $(ROUTED)
	for program in $^; do $$program --route; done | \
	  awk -F'\t' '{ print ($$3 ~ /}$$/), $$0 }' | sort -s -n -k1,1 | cut -d' ' -f2- > $@

$(OUT)/generated/routes.inc: $(ROUTES)
	@mkdir -p $(@D)
	awk -F'\t' '{ printf "{\"%s\", \"%s\", \"%s\"},\n", $$1, $$2, $$3 }' $< > $@

$(OUT)/obj/handlers/fallback.o: $(OUT)/generated/routes.inc

# --- Unit tests -----------------------------------------------------------------------------------

UNIT_TESTS := $(patsubst tests/unit/%.cpp,$(OUT)/tests/unit/%,$(wildcard tests/unit/*_test.cpp))

$(OUT)/tests/unit/%: $(OUT)/obj/tests/unit/%.o $(LIBRARY)
	@mkdir -p $(@D)
	$(CXX) $(LDFLAGS) $^ -lgtest -lgtest_main $(LDLIBS) -o $@

.PHONY: unit
unit: $(UNIT_TESTS)
	for test in $^; do $$test --gtest_brief=1; done

.PHONY: clean
clean:
	rm -rf build

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
