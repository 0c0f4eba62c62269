using System.Text;
using Gateway.Requests;

namespace Gateway.Tests.Requests;

public sealed class MultipartModelScannerTests
{
    private const string Form =
        "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a;name=model\\\".wav\"\r\nContent-Type: audio/wav\r\n\r\n"
        + "RIFF\r\n--XY\r\r\n-\r\n--X\r\r\n--\rZ\r"
        + "\r\n--XX\r\ncontent-disposition: form-data; name=model\r\n\r\norg/whisper\r\n"
        + "--XX  \r\nContent-Disposition: form-data; name=\"stream\"\r\n\r\nTrue\r\n"
        + "--XX\r\nContent-Disposition: form-data; name=\"response_format\"\r\n\r\nverbose_json\r\n--XX--\r\nepilogue";

    [Fact]
    public void Feed_InAnyPieces_FindsTheModelAndItsPlace()
    {
        var bytes = Encoding.ASCII.GetBytes(Form);
        for (var piece = 1; piece <= bytes.Length; piece++)
        {
            var scanner = MultipartModelScanner.Create("multipart/form-data; charset=utf-8; boundary=\"XX\"")!;
            foreach (var chunk in bytes.Chunk(piece))
            {
                scanner.Feed(chunk);
            }

            Assert.Equal(MultipartScan.Found, scanner.Finish());
            Assert.Equal("org/whisper", scanner.Model);
            Assert.Equal("org/whisper", Encoding.ASCII.GetString(bytes, (int)scanner.ModelStart, scanner.ModelLength));
            Assert.True(scanner.IsStreaming);
        }
    }

    [Theory]
    [InlineData("Content-Disposition: form-data; name=\"file\"; name=\"model\"")]
    [InlineData("Content-Disposition: form-data; name=\"file\"; NAME=model; filename=\"a\"")]
    [InlineData("Content-Disposition: form-data; name*=utf-8''model")]
    [InlineData("Content-Disposition: form-data; name=\"x\"\r\ncontent-disposition: form-data; name=\"model\"")]
    [InlineData("Content-Disposition: form-data; name*0=\"mo\"; name*1=\"del\"")]
    [InlineData("Content-Disposition: form-data; name*0*=utf-8''mo; name*1=del")]
    [InlineData("Content-Disposition: form-data; nothing; name=\"model\"")]
    [InlineData("Content-Disposition: form-data; name=model; x=a\"; filename=b\"")]
    [InlineData("Content-Disposition: form-data; name=model; x=\"\\\\\"; filename=\"b\"")]
    [InlineData("Content-Disposition: form-data; name=model; x=\"; filename=b")]
    [InlineData("Content-Disposition: form-data; x=\"a\" name=model")]
    [InlineData("Content-Disposition: form-data;\r\n name=model")]
    [InlineData("X: x\nContent-Disposition: form-data; name=model")]
    public void Feed_PartWhoseNameCanBeReadInTwoWays_IsMalformed(string head)
    {
        var scanner = MultipartModelScanner.Create("multipart/form-data; boundary=b")!;

        var scan = scanner.Feed(Encoding.ASCII.GetBytes($"--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n--b\r\n{head}\r\n\r\nother\r\n--b--\r\n"));

        Assert.Equal((MultipartScan.Malformed, "invalid_multipart"), (scan, scanner.Problem?.Code));
    }

    [Fact]
    public void Feed_ModelBeforeTheFile_IsFoundBeforeTheFileComes()
    {
        var scanner = MultipartModelScanner.Create("multipart/form-data; boundary=b")!;

        var before = scanner.Feed("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n--"u8);
        var after = scanner.Feed("b\r\n"u8);

        Assert.Equal((MultipartScan.NeedMore, MultipartScan.Found), (before, after));
    }

    [Theory]
    [InlineData("name=\"file\"; filename=\"my \\\"best\\\"; take 1.wav\"; filename*=UTF-8''my%20take.wav;")]
    [InlineData("name = \"file\" ; filename=my take.wav ")]
    [InlineData("filename=\"\"; name=model")]
    public void Feed_PartOfAFileAsClientsWriteIt_IsNoField(string parameters)
    {
        var scanner = MultipartModelScanner.Create("multipart/form-data; boundary=b")!;

        scanner.Feed(Encoding.ASCII.GetBytes($"--b\r\nContent-Disposition: form-data; {parameters}\r\n\r\nwave\r\n--b\r\nContent-Disposition: form-data; name = \"model\";\r\n\r\nwhisper\r\n--b--"));

        Assert.Equal((MultipartScan.Found, "whisper"), (scanner.Finish(), scanner.Model));
    }

    [Theory]
    [InlineData("--b--\r\n", MultipartScan.NotFound)]
    [InlineData("preamble\r\n--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n--b--", MultipartScan.NotFound)]
    [InlineData("--b\r\nContent-Disposition: form-data; name=\"model\"; filename=\"m\"\r\n\r\n1\r\n--b--", MultipartScan.NotFound)]
    [InlineData("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n\r\n--b--", MultipartScan.NotFound)]
    [InlineData("--b\r\n\r\nno head\r\n--b--", MultipartScan.NotFound)]
    [InlineData("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhis", MultipartScan.Malformed)]
    [InlineData("--bc\r\n", MultipartScan.Malformed)]
    [InlineData("no form at all", MultipartScan.Malformed)]
    [InlineData("", MultipartScan.Malformed)]
    public void Finish_FormsWithoutAModel_SayWhy(string form, MultipartScan expected)
    {
        var scanner = MultipartModelScanner.Create("multipart/form-data; boundary=b")!;

        scanner.Feed(Encoding.ASCII.GetBytes(form));

        Assert.Equal(expected, scanner.Finish());
        Assert.Equal(expected == MultipartScan.Malformed, scanner.Problem is not null);
    }

    [Fact]
    public void Feed_BeyondTheBounds_IsMalformed()
    {
        static MultipartModelScanner Fed(string form)
        {
            var scanner = MultipartModelScanner.Create("multipart/form-data; boundary=b")!;
            scanner.Feed(Encoding.ASCII.GetBytes(form));
            return scanner;
        }

        var head = Fed("--b\r\nX: " + new string('x', 9_000));
        var value = Fed("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n" + new string('x', 257));
        var twice = Fed(string.Concat(Enumerable.Repeat("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n", 2)));

        Assert.Equal((MultipartScan.Malformed, MultipartScan.Malformed, MultipartScan.Malformed), (head.Status, value.Status, twice.Status));
        Assert.Equal("model", twice.Problem!.Param);
    }

    [Fact]
    public void Feed_MutatedForms_NeverThrowsAndDoesNotDependOnThePieces()
    {
        const int Seed = 17;
        var chance = new Random(Seed);
        var original = Encoding.ASCII.GetBytes(Form);
        for (var round = 0; round < 5_000; round++)
        {
            var form = original.ToArray();
            for (var change = chance.Next(1, 5); change > 0; change--)
            {
                form[chance.Next(form.Length)] = "\r\n-X;=\"\\ a\0"u8[chance.Next(11)];
            }

            var whole = MultipartModelScanner.Create("multipart/form-data; boundary=XX")!;
            whole.Feed(form);
            var pieces = MultipartModelScanner.Create("multipart/form-data; boundary=XX")!;
            foreach (var piece in form.Chunk(chance.Next(1, 30)))
            {
                pieces.Feed(piece);
            }

            Assert.True((whole.Finish(), whole.Model, whole.ModelStart) == (pieces.Finish(), pieces.Model, pieces.ModelStart), $"seed {Seed}, round {round}");
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData("application/json")]
    [InlineData("multipart/form-data")]
    [InlineData("multipart/form-data; boundary=")]
    [InlineData("multipart/form-data; boundary=a; boundary=b")]
    [InlineData("multipart/form-data; boundary=a; boundary*0=b")]
    [InlineData("multipart/form-data; x=a\"; boundary=b; y=\"; boundary=c")]
    [InlineData("multipart/form-data; boundary=12345678901234567890123456789012345678901234567890123456789012345678901")]
    public void Create_WithoutABoundary_IsNull(string? contentType) => Assert.Null(MultipartModelScanner.Create(contentType));
}
