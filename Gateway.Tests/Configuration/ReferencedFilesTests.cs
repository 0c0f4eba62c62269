using Gateway.Access;
using Gateway.Configuration;
using Gateway.Tests.Fakes;
using static Gateway.Tests.Configuration.Loading;

namespace Gateway.Tests.Configuration;

public sealed class ReferencedFilesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("gateway-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void LoadText_OfAKeysFileWithMistakes_NamesEachLine()
    {
        var hash = "sha256:" + new string('1', 64);
        var file = Write("keys", $"# ours\n\na {hash}\nnobody sha256:{new string('2', 64)}\na plain-secret\n  a   {hash}  # again\n");

        var loaded = ConfigurationFile.LoadText($"{OneModel}access: {{ keysFile: {file}, tenants: [{{ name: a }}] }}", "test.yaml", NoEnvironment);

        Assert.Null(loaded.Options);
        Assert.Equal(
        [
            $"{file}:4:1 access.keysFile: no tenant of access.tenants has this name.",
            $"{file}:5:1 access.keysFile: a line is a tenant's name and the SHA-256 of a key, like research sha256:9f86d0...; never the key itself.",
            $"{file}:6:1 access.keysFile: this key is in use already.",
        ],
        loaded.Problems.Select(problem => $"{problem.Where} {problem}"));
    }

    [Fact]
    public void LoadText_OfFilesThatAreMissingOrNoCertificates_SaysSo()
    {
        var wrong = Write("tls.crt", "hello");

        var missing = ConfigurationFile.LoadText($"{OneModel}access: {{ keysFile: {_folder}/none, tenants: [{{ name: a }}] }}", "t", NoEnvironment);
        var faulty = ConfigurationFile.LoadText($"{OneModel}listen: {{ urls: https://*:1, tls: {{ certificate: {wrong}, key: {wrong} }} }}", "t", NoEnvironment);

        Assert.Equal($"{_folder}/none", Assert.Single(missing.Problems).Where.File);
        Assert.Equal("listen.tls.certificate: the file holds no certificate in PEM form.", Assert.Single(faulty.Problems).ToString());
    }

    [Theory]
    [InlineData("telemetry", "accessLog")]
    [InlineData("estimation", "snapshotPath")]
    public void LoadText_OfAFileThatCannotBeMade_SaysSo(string section, string key)
    {
        var inNoFolder = ConfigurationFile.LoadText($"{OneModel}{section}: {{ {key}: {_folder}/none/log }}", "t", NoEnvironment);
        var folder = ConfigurationFile.LoadText($"{OneModel}{section}: {{ {key}: {_folder} }}", "t", NoEnvironment);
        var fine = ConfigurationFile.LoadText($"{OneModel}{section}: {{ {key}: {_folder}/log }}", "t", NoEnvironment);

        Assert.All([inNoFolder, folder], loaded =>
            Assert.Equal($"{section}.{key}: no file can be made there: it is a folder, or its folder does not exist.", Assert.Single(loaded.Problems).ToString()));
        Assert.NotNull(fine.Options);
        Assert.False(File.Exists($"{_folder}/log"));
        Assert.NotNull(ConfigurationFile.LoadText($"{OneModel}{section}: {{ {key}: log }}", "t", NoEnvironment).Options);
        Assert.Null(ConfigurationFile.LoadText($"{OneModel}{section}: {{ {key}: \"a\\0b\" }}", "t", NoEnvironment).Options);
    }

    [Fact]
    public void Read_OfAKeysFile_FindsEveryKey()
    {
        var problems = new List<KeyLineProblem>();

        var keys = KeysFile.Read($"a {Hash("one")}\r\nb\t{Hash("two")} # second\n", _ => true, new HashSet<KeyDigest>(), problems);

        Assert.Empty(problems);
        Assert.Equal([(1, "a", KeyDigest.Of("one")), (2, "b", KeyDigest.Of("two"))], keys.Select(key => (key.Line, key.Tenant, key.Digest)));
    }

    [Fact]
    public void Look_AtFilesThatChange_TellsOnceTheyStandStill()
    {
        var (first, second) = (Write("a", "1"), Write("b", "1"));
        var time = new ManualTime();
        var told = 0;
        using var follower = new FileFollower(() => [first, second], () => told++, time);

        Write("a", "2");
        time.Advance(ConfigurationWatcher.Interval);
        Write("b", "2");
        time.Advance(ConfigurationWatcher.Interval);
        Assert.Equal(0, told);
        time.Advance(ConfigurationWatcher.Interval);
        Assert.Equal(1, told);
        time.Advance(ConfigurationWatcher.Interval * 5);
        Assert.Equal(1, told);

        File.Delete(second);
        time.Advance(ConfigurationWatcher.Interval * 2);
        Assert.Equal(2, told);
    }

    private static string Hash(string key) =>
        KeyDigest.Prefix + Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(key)));

    private string Write(string name, string text)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
