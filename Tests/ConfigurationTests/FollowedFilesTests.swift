import Testing

@testable import IronpostCore

/// Which files the sources stand for.
struct FollowedFilesTests {
    @Test func `files of the sources file and audit, each once`() {
        var log = Configuration.LogPipeline()
        log.file.include = ["/a"]
        log.sources = [.file, .journald]
        #expect(log.followed == ["/a"])
        log.sources = [.audit]
        #expect(log.followed == [Configuration.LogPipeline.auditLog])
        log.sources = [.audit, .file]
        #expect(log.followed == ["/a", Configuration.LogPipeline.auditLog])
        log.file.include = [Configuration.LogPipeline.auditLog]
        #expect(log.followed == [Configuration.LogPipeline.auditLog])
        log.sources = [.syslog]
        #expect(log.followed == [])
    }
}
