import SBOMScanner

/// What is done with broken files of packages, by the tests over their seeds and by libFuzzer for as long as it is let.
package enum CatalogerBody {
    /// Small files of each kind, to be broken in every way.
    package static let seeds: [(String, [UInt8])] = texts.map { ($0.0, Array($0.1.utf8)) } + BinaryBody.seeds

    private static let texts: [(String, String)] = [
        (
            "package-lock.json",
            #"{"lockfileVersion": 3, "packages": {"": {}, "node_modules/a": {"version": "1.0.0"}}}"#
        ),
        ("yarn.lock", "\"a@^1\", b@2:\n  version \"1.0\"\n  dependencies:\n    c \"^1\"\n"),
        (
            "yarn.lock",
            "__metadata:\n  version: 6\n\"a@npm:1\":\n  version: 1\n  resolution: \"a@npm:1\"\n  dependencies:\n    b: ^1\n"
        ),
        (
            "pnpm-lock.yaml",
            "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      a: {specifier: ^1, version: 1.0.0}\npackages:\n  a@1.0.0:\n    resolution: {integrity: sha512-aa==}\n    deprecated: >-\n      x\n      'y'\nsnapshots:\n  a@1.0.0: {}\n"
        ),
        (
            "Cargo.lock",
            "version = 3\n[[package]]\nname = \"a\"\nversion = \"1.0\"\ndependencies = [\"b\", 'c']\n[package.x]\ny = { z = 1, w = \"\"\"q\"\"\" }\n"
        ),
        ("go.mod", "module a\ngo 1.16\nrequire (\n\tb v1.0.0 // indirect\n)\nreplace b => c v1.0.1\n"),
        ("requirements.txt", "a==1.0 --hash=sha256:00\nb[c]==2 ; x\n-r y\n"),
        ("Pipfile.lock", #"{"_meta": {}, "default": {"a": {"version": "==1"}}}"#),
        ("poetry.lock", "[[package]]\nname = \"a\"\nversion = \"1\"\n[package.dependencies]\nb = \">=1\"\n"),
        (
            "uv.lock",
            "[[package]]\nname = \"a\"\nversion = \"1\"\nsource = { virtual = \".\" }\ndependencies = [{ name = \"b\" }]\n"
        ),
        ("pylock.toml", "lock-version = \"1.0\"\n[[packages]]\nname = \"a\"\nversion = \"1\"\n"),
        ("a.dist-info/METADATA", "Name: a\nVersion: 1\n\nx"),
        ("Gemfile.lock", "GEM\n  specs:\n    a (1.0-x)\n      b (~> 1)\nDEPENDENCIES\n  a!\n"),
        ("composer.lock", #"{"packages": [{"name": "a/b", "version": "1", "require": {"c": "*"}}]}"#),
        (
            "packages.lock.json",
            #"{"dependencies": {"n": {"A": {"type": "Direct", "resolved": "1", "contentHash": "aa=="}}}}"#
        ),
        (
            "x.deps.json",
            #"{"libraries": {"A/1": {"type": "package"}}, "targets": {"t": {"A/1": {"dependencies": {"B": "1"}}}}}"#
        ),
        (
            "pom.xml",
            "<project><properties><v>1</v></properties><dependencies><dependency><groupId>a</groupId><artifactId>b&amp;</artifactId><version>${v}</version></dependency></dependencies></project>"
        ),
        ("gradle.lockfile", "a:b:1=c\nempty=\n"),
        ("Package.resolved", #"{"pins": [{"location": "https://x/y.git", "state": {"version": "1"}}]}"#),
        (
            "var/lib/dpkg/status",
            "Package: a\nStatus: install ok installed\nVersion: 1:2-3\nSource: b (1)\nDepends: c | d\n\n"
        ),
        ("lib/apk/db/installed", "P:a\nV:1-r0\no:b\nD:so:x\np:so:x=1\n\n"),
    ]

    /// - Returns: what is wrong with the answer; a trap says it by itself.
    package static func run(_ path: String, _ bytes: [UInt8]) -> String? {
        if path == BinaryBody.image { return BinaryBody.runImage(bytes) }
        let reader = Catalogers.all.first {
            path == BinaryBody.program ? $0.name == "go-program" : $0.reads(path)
        }
        guard let cataloger = reader else { return "nobody reads \(path)" }
        var catalog = Catalog()
        do throws(ReadFault) { try cataloger.catalog(SourceFile(path: path, bytes: bytes), into: &catalog) } catch {
            if error.description.isEmpty { return "a fault without words" }
        }
        for edge in catalog.edges where edge.from >= catalog.packages.count || edge.to >= catalog.packages.count {
            return "an edge that leads nowhere"
        }
        return nil
    }
}
