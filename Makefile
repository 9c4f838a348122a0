# todo-fcgi: build, run, test. GNU make, one file, no recursion.
#
#   make            programs in build/release/handlers/
#   make run        everything installed, started and served at a printed URL, until Ctrl-C
#   make verify     is what runs ready for its users? (starts it if needed)
#   make test       every test, on ports, a database and folders of its own
#   make CONFIG=asan ...   the same with the address and undefined-behaviour sanitizers
#   make fuzz       every fuzz target under libFuzzer, FUZZ_SECONDS or FUZZ_RUNS each

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.SECONDARY:

# All cores, unless the caller says otherwise.
ifeq ($(filter -j% --jobserver%,$(MAKEFLAGS)),)
  MAKEFLAGS += --jobs=$(shell nproc)
endif

# libFuzzer comes with clang.
ifneq ($(filter fuzz,$(MAKECMDGOALS)),)
  override CONFIG := fuzz
  override CXX := $(filter ccache,$(CXX)) clang++
endif
CONFIG ?= release
OUT    := build/$(CONFIG)

FLAGS.release := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection \
                 $(if $(filter x86_64 i%86,$(shell uname -m)),-fcf-protection,-mbranch-protection=standard)
FLAGS.asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
                 -fno-omit-frame-pointer
FLAGS.fuzz := -O2 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
              -fno-omit-frame-pointer -Wno-sign-conversion -DLIBFUZZER
ifeq ($(FLAGS.$(CONFIG)),)
  $(error CONFIG must be "release", "asan" or "fuzz", not "$(CONFIG)")
endif

CXX      := g++
CXXFLAGS := -std=c++20 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -fPIE -MMD -MP -I. \
            -isystem /usr/include/postgresql -I$(OUT)/generated $(FLAGS.$(CONFIG))
LDFLAGS  := -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(FLAGS.$(CONFIG))
LDLIBS   := -pthread -lfcgi -lpq -lcrypto -lutf8proc

NAMES    := $(patsubst handlers/%.cpp,%,$(wildcard handlers/*.cpp))
PROGRAMS := $(NAMES:%=$(OUT)/handlers/%)
LIBRARY  := $(OUT)/libtodo.a
# Every program but `fallback` says which requests it answers; `fallback` is built from that list.
ROUTED   := $(filter-out $(OUT)/handlers/fallback,$(PROGRAMS))
ROUTES   := $(OUT)/routes.tsv

# Installed before the first rule is tried, so that a fresh machine has its compiler.
PACKAGES_OF_GOAL := build $(if $(filter run start migrate test check verify lighthouse torture torture-calls figures coldstart sbom,$(MAKECMDGOALS)),run) \
                    $(if $(filter test check unit lighthouse torture torture-calls,$(MAKECMDGOALS)),test) $(if $(filter lint check-%,$(MAKECMDGOALS)),lint test) \
                    $(if $(filter bench%,$(MAKECMDGOALS)),run bench) \
                    $(if $(filter scale,$(MAKECMDGOALS)),run test scale) \
                    $(filter fuzz,$(MAKECMDGOALS)) \
                    $(if $(filter deb test-package,$(MAKECMDGOALS)),deb) $(if $(filter test-package,$(MAKECMDGOALS)),run test)
ifneq ($(filter-out clean distclean uninstall installcheck stop status,$(or $(MAKECMDGOALS),all)),)
  ifneq ($(shell env/install-packages $(PACKAGES_OF_GOAL) >&2 && echo done),done)
    $(error the packages above could not be installed)
  endif
endif

# Warnings are errors with the compilers of Debian 12, by which the code is kept without any. A later
# one may know more of them, and must not keep anybody from building this.
WERROR := $(if $(filter 12 14.0.%,$(shell $(CXX) -dumpversion)),-Werror)

.PHONY: all
all: $(PROGRAMS) $(ROUTES) pages snippets

$(OUT)/obj/%.o: %.cpp Makefile
	@mkdir -p $(@D) && echo "$<"
	@$(CXX) $(CXXFLAGS) $(WERROR) -c $< -o $@

$(LIBRARY): $(patsubst %.cpp,$(OUT)/obj/%.o,$(wildcard lib/*.cpp))
	@rm -f $@
	@ar rcs $@ $^

$(OUT)/handlers/%: $(OUT)/obj/handlers/%.o $(LIBRARY)
	@mkdir -p $(@D)
	@$(CXX) $(LDFLAGS) $^ $(LDLIBS) -o $@

# program <tab> methods <tab> path pattern: the one list from which all that must agree is made.
# Where two patterns fit one path, the one that ends in a literal is meant: it comes first.
$(ROUTES): $(ROUTED)
	@for program in $^; do $$program --route; done | \
	  awk -F'\t' '{ print ($$3 ~ /}$$/), $$0 }' | sort -s -n -k1,1 | cut -d' ' -f2- > $@

$(OUT)/generated/routes.inc: $(ROUTES)
	@mkdir -p $(@D)
	@awk -F'\t' '{ printf "{\"%s\", \"%s\", \"%s\"},\n", $$1, $$2, $$3 }' $< > $@

$(OUT)/obj/handlers/fallback.o: $(OUT)/generated/routes.inc

# {number, name} of each system call of this machine, for the sandbox's messages.
$(OUT)/generated/syscalls.inc:
	@mkdir -p $(@D)
	@echo '#include <sys/syscall.h>' | $(CXX) -E -dM -x c++ - | \
	  sed -nE 's/^#define SYS_([a-z0-9_]+) .*/{SYS_\1, "\1"},/p' | sort > $@
$(OUT)/obj/lib/sandbox.o: $(OUT)/generated/syscalls.inc

$(OUT)/obj/handlers/metrics.o: env/debian/changelog
$(OUT)/obj/handlers/metrics.o: CXXFLAGS += -DTODO_VERSION='"$(VERSION)"'

# --- Include files of web servers -----------------------------------------------------------------

.PHONY: snippets
snippets: $(OUT)/snippets/.made
$(OUT)/snippets/.made: $(ROUTES) env/render-snippets env/auth-path nginx/render $(wildcard env/*/*.in nginx/*.conf nginx/*.in)
	@rm -rf $(@D) && env/render-snippets $(@D) $(ROUTES)
	@touch $@

# --- Unit tests -----------------------------------------------------------------------------------

UNIT_TESTS := $(patsubst tests/unit/%.cpp,$(OUT)/tests/unit/%,$(wildcard tests/unit/*_test.cpp))

$(OUT)/tests/unit/%: $(OUT)/obj/tests/unit/%.o $(LIBRARY)
	@mkdir -p $(@D)
	@$(CXX) $(LDFLAGS) $^ -lgtest -lgtest_main $(LDLIBS) -o $@

.PHONY: unit
unit: $(UNIT_TESTS)
	for test in $^; do $$test --gtest_brief=1; done

# --- Fuzzing --------------------------------------------------------------------------------------

FUZZERS := $(patsubst tests/fuzz/%.cpp,$(OUT)/tests/fuzz/%,$(wildcard tests/fuzz/*_fuzz.cpp))

# PROGRAM(name) for each program that has a main() of requests.
$(OUT)/generated/programs.inc: $(ROUTES)
	@mkdir -p $(@D)
	@{ cut -f1 $<; echo fallback; } | sort -u | sed 's/.*/PROGRAM(&)/' > $@

# The handlers as parts of one program: each main() under the handler's own name.
$(OUT)/obj/tests/fuzz/handlers.o: $(NAMES:%=$(OUT)/obj/handlers/%.o)
	@mkdir -p $(@D)/handlers
	@for object in $^; do name=$$(basename $$object .o); \
	  objcopy --redefine-sym main=$${name}_main $$object $(@D)/handlers/$$name.o; done
	@ld -r -o $@ $(patsubst $(OUT)/obj/handlers/%,$(@D)/handlers/%,$^)

$(OUT)/obj/tests/fuzz/pattern_fuzz.o: $(OUT)/generated/routes.inc
$(OUT)/obj/tests/fuzz/request_fuzz.o: $(OUT)/generated/routes.inc $(OUT)/generated/programs.inc
$(OUT)/tests/fuzz/request_fuzz: $(OUT)/obj/tests/fuzz/handlers.o
$(OUT)/tests/fuzz/probe: $(OUT)/obj/tests/fuzz/probe.o $(LIBRARY)
	@$(CXX) $(LDFLAGS) $^ $(LDLIBS) -o $@
$(OUT)/tests/fuzz/%: $(OUT)/obj/tests/fuzz/%.o $(OUT)/obj/tests/fuzz/main.o $(LIBRARY)
	@mkdir -p $(@D)
	@$(CXX) $(LDFLAGS) $(if $(filter fuzz,$(CONFIG)),-fsanitize=fuzzer) $(filter %.o,$^) $(LIBRARY) $(LDLIBS) -o $@

$(OUT)/tests/fuzz/seeds/words.txt: tests/fuzz/seeds.mjs $(wildcard tests/vectors/*.json tests/vectors/*/*.json)
	@rm -rf $(@D) && mkdir -p $(@D)
	@node $< $(@D)

.PHONY: fuzzers fuzz
fuzzers: $(FUZZERS) $(OUT)/tests/fuzz/seeds/words.txt $(if $(filter fuzz,$(CONFIG)),,$(OUT)/tests/fuzz/probe)
fuzz: fuzzers
	@BUILD=$(OUT) tests/fuzz/run

# Says nothing but what went wrong.
NPM_CI := npm ci --no-progress --loglevel=error >/dev/null

# --- The pages ------------------------------------------------------------------------------------

PAGES       := nginx/pages
PAGE_SOURCES := $(shell find $(PAGES) -type f -not -path '*/node_modules/*' 2>/dev/null)

.PHONY: pages
pages: $(if $(wildcard $(PAGES)/package.json),$(OUT)/www/index.html)

$(PAGES)/node_modules/.installed: $(PAGES)/package-lock.json
	cd $(PAGES) && $(NPM_CI)
	touch $@

$(OUT)/www/index.html: $(PAGES)/node_modules/.installed $(PAGE_SOURCES)
	rm -rf $(OUT)/www && mkdir -p $(OUT)/www
	cd $(PAGES) && OUT_DIR=$(abspath $(OUT)/www) npm run --silent build
	touch $@

# --- Running --------------------------------------------------------------------------------------

.PHONY: run start stop status migrate
run start: all
	@BUILD=$(OUT) env/embedded $@
stop status:
	@BUILD=$(OUT) env/embedded $@
# The embedded database's address is known once it has been started.
migrate:
	@source env/settings.sh && load_settings env && \
	  if [[ -z $${DATABASE_URL:-} ]]; then source "$${STATE_DIR:-var}/env" && export DATABASE_URL; fi && \
	  sql/migrate

VERIFY := env/verify

$(VERIFY)/node_modules/.installed: $(VERIFY)/package-lock.json
	cd $(VERIFY) && $(NPM_CI)
	touch $@

# More options in ARGS: make verify ARGS='--journeys 10 --html report.html'
.PHONY: verify
verify: all $(VERIFY)/node_modules/.installed
	@BUILD=$(OUT) env/embedded start
	@source env/settings.sh && load_settings env && \
	  BUILD=$(OUT) $(VERIFY)/todo-verify --embedded "$${STATE_DIR:-var}" $(ARGS)

# What is installed: one file, for Node without any package beside it.
$(OUT)/verify/todo-verify.mjs: $(wildcard $(VERIFY)/*.mjs $(VERIFY)/checks/*.mjs) $(VERIFY)/node_modules/.installed \
                               $(PAGES)/node_modules/.installed
	$(PAGES)/node_modules/.bin/esbuild $(VERIFY)/main.mjs --outfile=$@ --bundle --platform=node --format=esm \
	  --target=node18 --external:pg-native --external:playwright-core --legal-comments=eof --log-level=warning \
	  --banner:js="import * as bundleModule from 'node:module'; import * as bundlePath from 'node:path'; \
	    const require = bundleModule.createRequire(import.meta.url); \
	    const __dirname = bundlePath.dirname(require('node:url').fileURLToPath(import.meta.url));"

# --- Tests ----------------------------------------------------------------------------------------

tests/node_modules/.installed: $(wildcard tests/package-lock.json)
	if [[ -e tests/package-lock.json ]]; then cd tests && $(NPM_CI); else mkdir -p $(@D); fi
	touch $@

.PHONY: test
test: all $(UNIT_TESTS) fuzzers tests/node_modules/.installed $(VERIFY)/node_modules/.installed
	@BUILD=$(OUT) tests/run

.PHONY: check
check: test

# Larger deployments at length, with a table of what was measured (env/SCALING.md).
.PHONY: scale
scale: all tests/node_modules/.installed
	@BUILD=$(OUT) SCALE=long tests/run scale

# --- Installing -----------------------------------------------------------------------------------
# The directory variables of the GNU coding standards; DESTDIR goes before all of them, and nothing is
# written elsewhere. env/INSTALL.md says what to do next.

prefix      := /usr/local
exec_prefix := $(prefix)
bindir      := $(exec_prefix)/bin
libexecdir  := $(exec_prefix)/libexec
datarootdir := $(prefix)/share
datadir     := $(datarootdir)
mandir      := $(datarootdir)/man
docdir      := $(datarootdir)/doc/todo-fcgi
sysconfdir  := $(prefix)/etc
runstatedir := /run
unitdir     := $(prefix)/lib/systemd/system
sysusersdir := $(prefix)/lib/sysusers.d
tmpfilesdir := $(prefix)/lib/tmpfiles.d
bashcompletiondir := $(datarootdir)/bash-completion/completions

PROGRAM_PREFIX  :=
INSTALL         := install
INSTALL_PROGRAM := $(INSTALL) -m 0755
INSTALL_DATA    := $(INSTALL) -m 0644
STRIP           :=
# The group whose members, the web server's workers, may connect to the programs.
WEB_GROUP       := www-data
DESTDIR         :=
# How nginx is to call the folder of its include files, if not by the one they are installed in.
NGINX_CONF      :=

VERSION := $(shell sed -nE '1s/.*\((.*)\).*/\1/p' env/debian/changelog)
HASHING := $(patsubst handlers/%.cpp,%,$(shell grep -l '"lib/password.h"' handlers/*.cpp))

INSTALL_SETTINGS = $(foreach name,DESTDIR bindir libexecdir datadir mandir docdir sysconfdir runstatedir \
  unitdir sysusersdir tmpfilesdir bashcompletiondir PROGRAM_PREFIX INSTALL INSTALL_PROGRAM INSTALL_DATA \
  STRIP WEB_GROUP NGINX_CONF VERSION HASHING,$(name)='$($(name))')

.PHONY: install install-strip uninstall installcheck
install-strip: STRIP := yes
install install-strip: all $(OUT)/verify/todo-verify.mjs
	@$(INSTALL_SETTINGS) env/install stage $(OUT)
	@$(INSTALL_SETTINGS) env/install install $(OUT)
uninstall:
	@$(INSTALL_SETTINGS) env/install uninstall
installcheck:
	@$(INSTALL_SETTINGS) env/install check $(OUT)

# Debian packages in build/deb, made by dpkg-buildpackage from a copy of what git knows of; the pages and
# todo-verify go along as they are built here.
.PHONY: deb
deb: pages $(OUT)/verify/todo-verify.mjs
	@CXX="$(CXX)" env/debian/build $(OUT) $(VERSION)
# In a fresh Debian tree, as root; some minutes.
.PHONY: test-package
test-package: deb
	@TODO_ROOT=$(CURDIR) bats tests/package

# What a build is made of and needs, as CycloneDX.
.PHONY: sbom
sbom: all
	@env/sbom $(OUT) $(VERSION) >$(OUT)/sbom.json && echo $(OUT)/sbom.json

# --- Figures --------------------------------------------------------------------------------------

$(OUT)/bench/%: LDLIBS := -lcrypto
$(OUT)/bench/%: $(OUT)/obj/tests/bench/%.o
	@mkdir -p $(@D)
	@$(CXX) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(OUT)/bench/noop: LDLIBS := -lfcgi -pthread

tests/%/node_modules/.installed: tests/%/package-lock.json
	cd tests/$* && $(NPM_CI)
	touch $@

# tests/bench/README.md says what each of them measures.
.PHONY: bench bench-growth bench-instructions bench-publish bench-signin figures coldstart lighthouse
bench: all $(OUT)/bench/raw_scrypt $(OUT)/bench/noop tests/bench/node_modules/.installed
	@BUILD=$(OUT) node tests/bench/bench.mjs
bench-growth: all
	@BUILD=$(OUT) node tests/bench/growth.mjs
bench-instructions: all
	@BUILD=$(OUT) node tests/bench/instructions.mjs
bench-publish:
	@node tests/bench/report.mjs
bench-signin: all $(OUT)/bench/raw_scrypt
	@BUILD=$(OUT) node tests/bench/signin.mjs
figures: all
	@BUILD=$(OUT) tests/figures
coldstart: all
	@BUILD=$(OUT) tests/coldstart
lighthouse: all tests/lighthouse/node_modules/.installed
	@BUILD=$(OUT) node tests/lighthouse/lighthouse.mjs

# --- Faults ---------------------------------------------------------------------------------------

# tests/torture/README.md says what each fault is and what the columns mean. ARGS='--only NAME,…' for some.
.PHONY: torture torture-publish
torture: all
	@BUILD=$(OUT) node tests/torture/torture.mjs $(ARGS)
# Every request for memory and every call of OpenSSL and libpq fails once (rows 85 and 86): an hour or more.
.PHONY: torture-calls
torture-calls: all
	@CALLS=all BUILD=$(OUT) tests/run calls
torture-publish:
	@node tests/torture/torture.mjs --publish

# --- Checks of the sources ------------------------------------------------------------------------

SOURCES := $(wildcard lib/*.cpp lib/*.h handlers/*.cpp tests/unit/*.cpp tests/unit/*.h tests/fuzz/*.cpp \
                      tests/fuzz/*.h)
SCRIPTS := env/embedded env/verify/todo-verify env/settings.sh env/install-packages env/database-url env/auth-path \
           env/install env/systemd/render env/render-snippets env/todo-fcgi \
           sql/migrate nginx/render tests/run tests/check-layers tests/figures tests/leaks .ci/run
SCRIPTS += tests/coldstart tests/fuzz/run tests/check-hardening
SCRIPTS += env/completion.bash env/debian/build

.PHONY: lint check-format check-tidy check-layers check-shell check-cppcheck check-hardening
lint: check-format check-layers check-shell check-cppcheck check-tidy
check-format:
	clang-format --dry-run --Werror $(SOURCES)
check-tidy: $(OUT)/generated/routes.inc $(OUT)/generated/syscalls.inc
	printf '%s\n' $(wildcard lib/*.cpp handlers/*.cpp) | \
	  xargs -P $$(nproc) -n 4 bash -c 'clang-tidy --quiet "$$@" -- -std=c++20 -I. \
	    -isystem /usr/include/postgresql -I$(OUT)/generated -DTODO_VERSION="\"x\""' clang-tidy
check-cppcheck: $(OUT)/generated/routes.inc $(OUT)/generated/programs.inc $(OUT)/generated/syscalls.inc
	cppcheck --quiet --error-exitcode=1 --std=c++20 --enable=warning,performance,portability -j $$(nproc) \
	  --inline-suppr --suppress=missingIncludeSystem -I. -I$(OUT)/generated \
	  $(wildcard lib/*.cpp handlers/*.cpp tests/fuzz/*.cpp)
check-hardening: all
	tests/check-hardening $(OUT)
check-layers:
	tests/check-layers
check-shell:
	shellcheck --external-sources $(SCRIPTS)

.PHONY: clean distclean
clean distclean:
	rm -rf build nginx/pages/node_modules tests/node_modules tests/bench/node_modules $(VERIFY)/node_modules

-include $(shell find $(OUT) -type f -name '*.d' 2>/dev/null)
