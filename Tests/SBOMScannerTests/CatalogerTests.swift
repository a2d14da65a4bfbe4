import SBOMScanner
import Testing

/// What each kind of file says, on small files of every form.
struct CatalogerTests {
    @Test("npm 3: scopes, aliases, nesting, links, development and optional")
    func npm3() throws {
        let catalog = try Catalog(
            "package-lock.json",
            #"""
            {"lockfileVersion": 3, "packages": {
              "": {"name": "app", "version": "1.0.0", "dependencies": {"a": "1", "ws": "*"}, "devDependencies": {"@s/d": "2"}},
              "node_modules/a": {"version": "1.0.0", "integrity": "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "dependencies": {"b": "2"}},
              "node_modules/b": {"version": "1.5.0"},
              "node_modules/a/node_modules/b": {"version": "2.0.0", "optional": true},
              "node_modules/@s/d": {"version": "2.0.0", "dev": true},
              "node_modules/alias": {"name": "real", "version": "3.0.0"},
              "node_modules/ws": {"resolved": "packages/ws", "link": true},
              "packages/ws": {"name": "ws", "version": "0.1.0", "dependencies": {"b": "1"}}
            }}
            """#
        )
        #expect(
            catalog.purls == [
                "pkg:npm/%40s/d@2.0.0", "pkg:npm/a@1.0.0", "pkg:npm/b@1.5.0", "pkg:npm/b@2.0.0", "pkg:npm/real@3.0.0",
                "pkg:npm/ws@0.1.0",
            ]
        )
        #expect(catalog.needs("pkg:npm/a@1.0.0") == ["pkg:npm/b@2.0.0"])
        #expect(catalog.needs("pkg:npm/ws@0.1.0") == ["pkg:npm/b@1.5.0"])
        #expect(catalog["pkg:npm/%40s/d@2.0.0"]?.scope == .development)
        #expect(catalog["pkg:npm/b@2.0.0"]?.scope == .optional)
        #expect(catalog["pkg:npm/real@3.0.0"]?.alias == "alias")
        #expect(catalog["pkg:npm/ws@0.1.0"]?.isLocal == true)
        #expect(catalog["pkg:npm/a@1.0.0"]?.hashes.first?.value == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
        #expect(catalog.direct.map { catalog.packages[$0].name }.sorted() == ["@s/d", "a", "ws"])
    }

    @Test("npm 1: what is inside wins over what is above")
    func npm1() throws {
        let catalog = try Catalog(
            "npm-shrinkwrap.json",
            #"""
            {"lockfileVersion": 1, "requires": true, "dependencies": {
              "a": {"version": "1.0.0", "requires": {"b": "2", "c": "1"}, "dependencies": {"b": {"version": "2.0.0", "requires": {"c": "1"}}}},
              "b": {"version": "1.0.0"}, "c": {"version": "1.1.0", "dev": true},
              "x": {"version": "npm:@real/y@4.0.0"},
              "g": {"version": "git+ssh://git@github.com/o/g.git#0123456789abcdef0123456789abcdef01234567"}
            }}
            """#
        )
        #expect(catalog.needs("pkg:npm/a@1.0.0") == ["pkg:npm/b@2.0.0", "pkg:npm/c@1.1.0"])
        #expect(catalog.needs("pkg:npm/b@2.0.0") == ["pkg:npm/c@1.1.0"])
        #expect(catalog["pkg:npm/%40real/y@4.0.0"] != nil)
        #expect(catalog["pkg:npm/g@0123456789abcdef0123456789abcdef01234567"] != nil)
    }

    @Test func yarnClassic() throws {
        let catalog = try Catalog(
            "yarn.lock",
            """
            # yarn lockfile v1


            "@babel/code-frame@^7.0.0", "@babel/code-frame@^7.8.3":
              version "7.8.3"
              resolved "https://registry.yarnpkg.com/@babel/code-frame/-/code-frame-7.8.3.tgz#33e25903"
              dependencies:
                "@babel/highlight" "^7.8.3"

            "@babel/highlight@^7.8.3":
              version "7.9.0"

            old@npm:left-pad@^1.0.0:
              version "1.3.0"
            """
        )
        #expect(
            catalog.purls == [
                "pkg:npm/%40babel/code-frame@7.8.3", "pkg:npm/%40babel/highlight@7.9.0", "pkg:npm/left-pad@1.3.0",
            ])
        #expect(catalog.needs("pkg:npm/%40babel/code-frame@7.8.3") == ["pkg:npm/%40babel/highlight@7.9.0"])
    }

    @Test func yarnBerry() throws {
        let catalog = try Catalog(
            "web/yarn.lock",
            """
            __metadata:
              version: 6

            "@a/b@npm:^1.0.0, @a/b@npm:^1.2.0":
              version: 1.2.3
              resolution: "@a/b@npm:1.2.3"
              dependencies:
                c: ^2.0.0
              checksum: 00ff
              languageName: node
              linkType: hard

            "c@npm:^2.0.0":
              version: 2.0.1
              resolution: "c@npm:2.0.1"
              linkType: hard

            "root@workspace:.":
              version: 0.0.0-use.local
              resolution: "root@workspace:."
              dependencies:
                "@a/b": "npm:^1.2.0"
              linkType: soft
            """
        )
        #expect(catalog.purls == ["pkg:npm/%40a/b@1.2.3", "pkg:npm/c@2.0.1"])
        #expect(catalog.needs("pkg:npm/%40a/b@1.2.3") == ["pkg:npm/c@2.0.1"])
        #expect(catalog.direct.map { catalog.packages[$0].name } == ["@a/b"])
    }

    @Test(
        "pnpm 5, 6 and 9 say the same",
        arguments: [
            """
            lockfileVersion: 5.4
            dependencies:
              '@s/a': 1.0.0_peer@2.0.0
            devDependencies:
              d: 3.0.0
            packages:
              /@s/a/1.0.0_peer@2.0.0:
                resolution: {integrity: sha512-aa==}
                dependencies:
                  peer: 2.0.0
                dev: false
              /peer/2.0.0:
                resolution: {integrity: sha512-aa==}
                dev: false
              /d/3.0.0:
                resolution: {integrity: sha512-aa==}
                dev: true
            """,
            """
            lockfileVersion: '6.0'
            dependencies:
              '@s/a':
                specifier: ^1.0.0
                version: 1.0.0(peer@2.0.0)
            devDependencies:
              d:
                specifier: ^3
                version: 3.0.0
            packages:
              /@s/a@1.0.0(peer@2.0.0):
                resolution: {integrity: sha512-aa==}
                dependencies:
                  peer: 2.0.0
                dev: false
              /peer@2.0.0:
                resolution: {integrity: sha512-aa==}
                dev: false
              /d@3.0.0:
                resolution: {integrity: sha512-aa==}
                dev: true
            """,
            """
            lockfileVersion: '9.0'

            importers:

              .:
                dependencies:
                  '@s/a':
                    specifier: ^1.0.0
                    version: 1.0.0(peer@2.0.0)
                devDependencies:
                  d:
                    specifier: ^3
                    version: 3.0.0

            packages:

              '@s/a@1.0.0':
                resolution: {integrity: sha512-aa==}
                deprecated: |-
                  Use something else: it is
                  newer.
              d@3.0.0:
                resolution: {integrity: sha512-aa==}
              peer@2.0.0:
                resolution: {integrity: sha512-aa==}

            snapshots:

              '@s/a@1.0.0(peer@2.0.0)':
                dependencies:
                  peer: 2.0.0
              d@3.0.0: {}
              peer@2.0.0: {}
            """,
        ])
    func pnpm(_ text: String) throws {
        let catalog = try Catalog("pnpm-lock.yaml", text)
        #expect(catalog.purls == ["pkg:npm/%40s/a@1.0.0", "pkg:npm/d@3.0.0", "pkg:npm/peer@2.0.0"])
        #expect(catalog.needs("pkg:npm/%40s/a@1.0.0") == ["pkg:npm/peer@2.0.0"])
        #expect(catalog["pkg:npm/d@3.0.0"]?.scope == .development)
        #expect(catalog["pkg:npm/peer@2.0.0"]?.scope == .required)
        #expect(catalog.direct.map { catalog.packages[$0].name }.sorted() == ["@s/a", "d"])
    }

    @Test("strings of TOML: either quote, escapes, several lines")
    func strings() throws {
        let catalog = try Catalog(
            "Cargo.lock",
            #"""
            [[package]]
            name = "a\"b\u0041\\"
            version = '1\'
            source = """
            two "" lines \
              and one"""
            [["package"]]
            'name' = 'say "x"'
            version = "2\n"
            source = "''"
            """#
        )
        #expect(catalog.packages.map(\.name) == [#"a"bA\"#, #"say "x""#])
        #expect(catalog.packages.map(\.version) == [#"1\"#, "2\n"])
        #expect(catalog.packages.allSatisfy { !$0.isLocal })
    }

    @Test func cargo() throws {
        let catalog = try Catalog(
            "Cargo.lock",
            """
            version = 3
            [[package]]
            name = "app"
            version = "0.1.0"
            dependencies = ["dep 1.0.0", "other"]
            [[package]]
            name = "dep"
            version = "1.0.0"
            source = "registry+https://github.com/rust-lang/crates.io-index"
            checksum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
            [[package]]
            name = "dep"
            version = "2.0.0"
            source = "registry+https://github.com/rust-lang/crates.io-index"
            [[package]]
            name = "other"
            version = "0.3.0"
            source = "git+https://example.org/other#abc"
            checksum = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B85g"
            dependencies = ["dep 2.0.0 (registry+https://github.com/rust-lang/crates.io-index)", "dep 3.0.0", "none"]
            """
        )
        #expect(catalog.needs("pkg:cargo/app@0.1.0") == ["pkg:cargo/dep@1.0.0", "pkg:cargo/other@0.3.0"])
        #expect(catalog.needs("pkg:cargo/other@0.3.0") == ["pkg:cargo/dep@2.0.0"])
        #expect(catalog["pkg:cargo/app@0.1.0"]?.isLocal == true)
        #expect(catalog["pkg:cargo/dep@1.0.0"]?.hashes.first?.algorithm == "SHA-256")
        #expect(catalog["pkg:cargo/dep@1.0.0"]?.hashes.first?.value.hasSuffix("7852b855") == true)
        // Not hexadecimal.
        #expect(catalog["pkg:cargo/other@0.3.0"]?.hashes == [])
    }

    @Test("go.mod: replacements, and go.sum for a Go that did not name indirect modules")
    func goModule() throws {
        let catalog = try Catalog(
            "go.mod",
            """
            module example.org/app
            go 1.16
            require (
            \texample.org/a v1.2.3 // indirect
            \texample.org/b v0.0.0-20200101000000-abcdefabcdef
            )
            require example.org/c v1.0.0+incompatible
            replace example.org/a v1.2.3 => example.org/fork v1.2.4
            replace (
            \texample.org/c => ../c
            )
            """,
            neighbours: [
                "go.sum": "example.org/d v1.0.0 h1:x=\nexample.org/d v1.1.0 h1:x=\nexample.org/d v1.2.0/go.mod h1:x=\n"
            ]
        )
        #expect(
            catalog.purls == [
                "pkg:golang/example.org/b@v0.0.0-20200101000000-abcdefabcdef", "pkg:golang/example.org/d@v1.1.0",
                "pkg:golang/example.org/fork@v1.2.4",
            ]
        )
    }

    @Test("requirements: ranges are never pins")
    func requirements() throws {
        let catalog = try Catalog(
            "requirements.txt",
            """
            # comment
            -r other.txt
            Django==4.2.1  # pinned
            requests[security] == 2.31.0 ; python_version > "3.8"
            flask>=2.0
            numpy==1.*
            urllib3==1.26.0,<2
            zope.interface==6.0 \\
                --hash=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
            git+https://example.org/x.git#egg=x
            """
        )
        #expect(catalog.purls == ["pkg:pypi/django@4.2.1", "pkg:pypi/requests@2.31.0", "pkg:pypi/zope-interface@6.0"])
        #expect(catalog.notes.count == 4)
        #expect(catalog["pkg:pypi/zope-interface@6.0"]?.hashes.count == 1)
    }

    @Test(
        "Python lockfiles",
        arguments: [
            (
                "Pipfile.lock",
                #"{"_meta": {}, "default": {"a": {"version": "==1.0"}}, "develop": {"b": {"version": "==2.0"}}}"#
            ),
            (
                "poetry.lock",
                "[[package]]\nname = \"a\"\nversion = \"1.0\"\n\n[[package]]\nname = \"b\"\nversion = \"2.0\"\ngroups = [\"dev\"]\n"
            ),
            (
                "uv.lock",
                """
                version = 1
                [[package]]
                name = "a"
                version = "1.0"
                source = { registry = "https://pypi.org/simple" }
                [[package]]
                name = "app"
                source = { virtual = "." }
                [[package]]
                name = "b"
                version = "2.0"
                source = { registry = "https://pypi.org/simple" }
                """
            ),
            (
                "pylock.toml",
                "lock-version = \"1.0\"\n[[packages]]\nname = \"a\"\nversion = \"1.0\"\n[[packages]]\nname = \"b\"\nversion = \"2.0\"\n"
            ),
        ])
    func pythonLocks(_ name: String, _ text: String) throws {
        let catalog = try Catalog(name, text)
        #expect(catalog.purls == ["pkg:pypi/a@1.0", "pkg:pypi/b@2.0"])
        if name == "Pipfile.lock" || name == "poetry.lock" { #expect(catalog["pkg:pypi/b@2.0"]?.scope == .development) }
    }

    @Test func wheels() throws {
        let catalog = try Catalog(
            "lib/Zope.Event-5.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: Zope.Event\nVersion: 5.0\nLicense: MIT\n\nName: not this")
        #expect(catalog.purls == ["pkg:pypi/zope-event@5.0"])
        #expect(catalog.packages.first?.state == .installed)
        #expect(try Catalog("other/METADATA", "Name: x\nVersion: 1\n").packages.isEmpty)
    }

    @Test func gemfile() throws {
        let catalog = try Catalog(
            "Gemfile.lock",
            """
            GIT
              remote: https://example.org/g.git
              revision: abc
              specs:
                g (0.1.0)

            GEM
              remote: https://rubygems.org/
              specs:
                nokogiri (1.15.0)
                  racc (~> 1.4)
                nokogiri (1.15.0-x86_64-linux)
                  racc (~> 1.4)
                racc (1.7.0)

            PLATFORMS
              ruby

            DEPENDENCIES
              g!
              nokogiri

            CHECKSUMS
              racc (1.7.0) sha256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
            """
        )
        #expect(
            catalog.purls == [
                "pkg:gem/g@0.1.0", "pkg:gem/nokogiri@1.15.0", "pkg:gem/nokogiri@1.15.0?platform=x86_64-linux",
                "pkg:gem/racc@1.7.0",
            ]
        )
        #expect(catalog.needs("pkg:gem/nokogiri@1.15.0") == ["pkg:gem/racc@1.7.0"])
        #expect(catalog["pkg:gem/racc@1.7.0"]?.hashes.count == 1)
    }

    @Test(
        "others",
        arguments: [
            (
                "composer.lock",
                #"{"packages": [{"name": "a/b", "version": "v1.0.0", "license": ["MIT"], "require": {"php": ">=8"}}], "packages-dev": [{"name": "c/d", "version": "2.0"}]}"#,
                ["pkg:composer/a/b@v1.0.0", "pkg:composer/c/d@2.0"]
            ),
            (
                "packages.lock.json",
                #"{"version": 1, "dependencies": {"net8.0": {"A.B": {"type": "Direct", "resolved": "1.0.0", "dependencies": {"C": "2.0.0"}}, "C": {"type": "Transitive", "resolved": "2.0.0"}, "p": {"type": "Project"}}}}"#,
                ["pkg:nuget/A.B@1.0.0", "pkg:nuget/C@2.0.0"]
            ),
            (
                "app.deps.json",
                #"{"libraries": {"App/1.0.0": {"type": "project"}, "A/1.2.3": {"type": "package", "sha512": ""}}}"#,
                ["pkg:nuget/A@1.2.3"]
            ),
            (
                "gradle.lockfile",
                "# comment\norg.a:b:1.0=compileClasspath\norg.c:d:2.0=testRuntimeClasspath\nempty=\n",
                ["pkg:maven/org.a/b@1.0", "pkg:maven/org.c/d@2.0"]
            ),
            (
                "Package.resolved",
                #"{"pins": [{"identity": "swift-nio", "location": "https://github.com/apple/swift-nio.git", "state": {"revision": "a", "version": "2.0.0"}}], "version": 2}"#,
                ["pkg:swift/github.com/apple/swift-nio@2.0.0"]
            ),
            (
                "pom.xml",
                """
                <?xml version="1.0"?><!-- c --><project xmlns="http://maven.apache.org/POM/4.0.0">
                <groupId>g</groupId><version>3</version><properties><v>1.${w}</v><w>5</w></properties>
                <dependencyManagement><dependencies><dependency><groupId>m</groupId><artifactId>n</artifactId><version>[7]</version></dependency></dependencies></dependencyManagement>
                <dependencies>
                <dependency><groupId>a</groupId><artifactId>b</artifactId><version>${v}</version></dependency>
                <dependency><groupId>${project.groupId}</groupId><artifactId>c</artifactId><version>${project.version}</version></dependency>
                <dependency><groupId>m</groupId><artifactId>n</artifactId></dependency>
                <dependency><groupId>r</groupId><artifactId>r</artifactId><version>[1,2)</version></dependency>
                </dependencies></project>
                """,
                ["pkg:maven/a/b@1.5", "pkg:maven/g/c@3", "pkg:maven/m/n@7"]
            ),
        ])
    func others(_ name: String, _ text: String, _ purls: [String]) throws {
        #expect(try Catalog(name, text).purls == purls)
    }

    @Test("dpkg: only what is installed, with its source and distribution")
    func dpkg() throws {
        let catalog = try Catalog(
            "var/lib/dpkg/status",
            """
            Package: libssl3
            Status: install ok installed
            Architecture: amd64
            Source: openssl (3.0.11-1)
            Version: 3.0.11-1+b1
            Depends: libc6 (>= 2.34) | other, missing

            Package: libc6
            Status: hold ok installed
            Architecture: amd64
            Version: 2.36-9

            Package: gone
            Status: deinstall ok config-files
            Architecture: all
            Version: 1.0
            """,
            neighbours: ["etc/os-release": "ID=debian\nVERSION_ID=\"12\"\n"]
        )
        #expect(
            catalog.purls == [
                "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12",
                "pkg:deb/debian/libssl3@3.0.11-1%2Bb1?arch=amd64&distro=debian-12&upstream=openssl%403.0.11-1",
            ]
        )
        let ssl = try #require(catalog.packages.first)
        #expect(ssl.source == Package.Source(name: "openssl", version: "3.0.11-1"))
        #expect(ssl.osvEcosystems == ["Debian:12", "Debian"])
        #expect(catalog.edges.count == 1)
    }

    @Test func apk() throws {
        let catalog = try Catalog(
            "lib/apk/db/installed",
            "C:Q1abc=\nP:libcrypto3\nV:3.1.4-r1\nA:x86_64\nL:Apache-2.0\no:openssl\nD:so:libc.musl-x86_64.so.1\n\nP:musl\nV:1.2.4-r2\nA:x86_64\no:musl\np:so:libc.musl-x86_64.so.1=1\n\n",
            neighbours: ["etc/os-release": "ID=alpine\nVERSION_ID=3.19.1\n"]
        )
        #expect(
            catalog.purls == [
                "pkg:apk/alpine/libcrypto3@3.1.4-r1?arch=x86_64&distro=alpine-3.19.1&upstream=openssl",
                "pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64&distro=alpine-3.19.1",
            ]
        )
        #expect(catalog.packages.first?.osvEcosystems == ["Alpine:v3.19", "Alpine"])
        #expect(catalog.edges.count == 1)
    }
}
