using System.Text;
using Gateway.Telemetry;

namespace Gateway.Tests.Telemetry;

public sealed class FollowedFileTests : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("gateway-").FullName;
    private readonly string _path;
    private readonly FollowedFile _file;

    public FollowedFileTests()
    {
        _path = Path.Combine(_folder, "log");
        File.WriteAllText(_path, "before\n");
        _file = new FollowedFile(_path);
        Append("first\n");
    }

    public async ValueTask DisposeAsync()
    {
        await _file.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void AtEnd_OfAFileThatWasThere_KeepsWhatItHeld() => Assert.Equal("before\nfirst\n", File.ReadAllText(_path));

    [Fact]
    public void AtEnd_AfterTheFileWasEmptied_LeavesNoHole()
    {
        using (var other = new FileStream(_path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            other.SetLength(0);
        }

        Append("second\n");

        Assert.Equal("second\n", File.ReadAllText(_path));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AtEnd_AfterTheFileWasMovedAway_GoesOnUnderItsName(bool isMadeAnew)
    {
        File.Move(_path, _path + ".1");
        if (isMadeAnew)
        {
            File.WriteAllText(_path, "");
        }

        Append("second\n");
        Append("third\n");

        Assert.Equal(("before\nfirst\n", "second\nthird\n"), (File.ReadAllText(_path + ".1"), File.ReadAllText(_path)));
    }

    [Fact]
    public void AtEnd_WhenAnotherProcessAppendsToo_OverwritesNothing()
    {
        using (var other = new FileStream(_path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite))
        {
            other.Write("other\n"u8);
        }

        Append("second\n");

        Assert.Equal("before\nfirst\nother\nsecond\n", File.ReadAllText(_path));
    }

    [Fact]
    public void AtEnd_WhileItsFolderIsGone_FailsAndGoesOnOnceItIsBack()
    {
        Directory.Delete(_folder, recursive: true);
        Assert.ThrowsAny<IOException>(_file.AtEnd);
        Directory.CreateDirectory(_folder);

        Append("second\n");

        Assert.Equal("second\n", File.ReadAllText(_path));
    }

    private void Append(string line) => _file.AtEnd().Write(Encoding.UTF8.GetBytes(line));
}
