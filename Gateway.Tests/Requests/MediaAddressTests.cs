using System.Text;
using Gateway.Requests;

namespace Gateway.Tests.Requests;

public class MediaAddressTests
{
    [Theory]
    [InlineData("file:///etc/passwd")]
    [InlineData("FILE:///etc/passwd")]
    [InlineData(" file:/x")]
    [InlineData("http://127.0.0.1/x")]
    [InlineData("https://10.1.2.3:8000/x")]
    [InlineData("http://169.254.169.254/latest/meta-data/")]
    [InlineData("http://192.168.1.1")]
    [InlineData("http://172.16.0.1")]
    [InlineData("http://100.64.0.1")]
    [InlineData("http://0.0.0.0:80")]
    [InlineData("http://2130706433/")]
    [InlineData("http://0x7f.1/")]
    [InlineData("http://[::1]:80/")]
    [InlineData("http://[fd00::1]/")]
    [InlineData("http://[::ffff:10.0.0.1]/")]
    [InlineData("http://localhost:11434/")]
    [InlineData("http://metadata/")]
    [InlineData("http://vllm.llm.svc/")]
    [InlineData("http://db.prod.svc.cluster.local./x")]
    [InlineData("http://user@10.0.0.1/")]
    [InlineData("http:\\\\10.0.0.1/")]
    [InlineData("http:")]
    [InlineData("ht\ttp://127.0.0.1/x")]
    [InlineData("http\n://127.0.0.1/x")]
    [InlineData("\u0001http://127.0.0.1/x")]
    [InlineData("http://127.0.\r\n0.1/x")]
    [InlineData("fi\nle:///etc/passwd")]
    [InlineData("/srv/scans/7.png")]
    [InlineData("//srv/scans/7.png")]
    [InlineData("/dev/video0")]
    [InlineData("../scans/7.png")]
    [InlineData("~/scans/7.png")]
    [InlineData("http://\uff11\uff12\uff17.0.0.1/")]
    [InlineData("http://169\u3002254\u3002169\u3002254/")]
    [InlineData("http://\u24dbocalhost/")]
    public void IsLocal_OfAnAddressAroundTheEngines_IsTrue(string address)
    {
        Assert.True(MediaAddress.IsLocal(Encoding.UTF8.GetBytes(System.Text.Json.JsonSerializer.Serialize(new { url = address, detail = "low" }))));
        Assert.True(MediaAddress.IsLocal(Encoding.UTF8.GetBytes($"\"{string.Concat(address.Select(c => $"\\u{(int)c:x4}"))}\"")));
    }

    // Only the beginning is read: what hides the host behind it is taken for the worst.
    [Theory]
    [InlineData("http://", "a.b", 300, "@127.0.0.1/x", true)]
    [InlineData("", "\t", 600, "http://127.0.0.1/x", true)]
    [InlineData("ht", "\n", 600, "tp://127.0.0.1/x", true)]
    [InlineData("https://example.com/", "a", 600, "", false)]
    [InlineData("https://example.com?", "a", 600, "@127.0.0.1/", false)]
    [InlineData("name", "        ", 100, "value", false)]
    [InlineData("    def f():\n", "\n                    return 1", 40, "", false)]
    [InlineData("h\nt\n", "\n", 600, "tp://127.0.0.1/x", true)]
    [InlineData("//uQxAAA", "AAAA", 600, "", false)]
    [InlineData("/srv/./", "scans/", 600, "7.png", true)]
    [InlineData("", "/", 600, "srv/scans/7.png", true)]
    [InlineData("", "/proc/self/root", 60, "/srv/scans/7.png", true)]
    [InlineData("/9j/", "/", 600, "../srv/scans/7.png", true)]
    [InlineData("~", "/", 600, "scans/7", true)]
    [InlineData("/9j/", "AAAA", 600, "", false)]
    [InlineData("", "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA\r\n", 20, "", false)]
    public void IsLocal_OfALongText_IsTrueWhereTheHostMayBeLocal(string begin, string filler, int times, string end, bool isLocal)
    {
        var text = begin + string.Concat(Enumerable.Repeat(filler, times)) + end;

        Assert.Equal(isLocal, MediaAddress.IsLocal(Encoding.UTF8.GetBytes(System.Text.Json.JsonSerializer.Serialize(text))));
    }

    [Theory]
    [InlineData("\\u002e")]
    [InlineData("\\u002E")]
    public void IsLocal_OfALongPathWhoseDotIsEscaped_IsTrue(string dot) =>
        Assert.True(MediaAddress.IsLocal(Encoding.UTF8.GetBytes($"\"{new string('/', 600)}srv/scans/7{dot}png\"")));

    [Theory]
    [InlineData("https://example.com/cat.png")]
    [InlineData("https://xn--bcher-kva.example/cat.png")]
    [InlineData("/9j/4AAQSkZJRg==")]
    [InlineData("cat.png")]
    [InlineData("https://8.8.8.8/x")]
    [InlineData("https://[2001:db8::1]/x")]
    [InlineData("data:image/png;base64,ZmlsZTovLy9ldGM=")]
    [InlineData("ZmlsZTovLy9ldGM=")]
    [InlineData("filed away")]
    public void IsLocal_OfAnythingElse_IsFalse(string address) =>
        Assert.False(MediaAddress.IsLocal(Encoding.UTF8.GetBytes(System.Text.Json.JsonSerializer.Serialize(new { url = address }))));

    [Theory]
    [InlineData("/v1/rerank", """{"model":"m","query":"file:///x","documents":["http://10.0.0.1/x",{"text":"file:///etc","source":"http://wiki/page","url":"http://10.0.0.1"}]}""")]
    [InlineData("/v1/score", """{"model":"m","text_1":"http://10.0.0.1/x","text_2":["file:///x"]}""")]
    [InlineData("/v1/embeddings", """{"model":"m","input":["http://10.0.0.1/x","file:///x"]}""")]
    [InlineData("/v1/messages", """{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"search_result","source":"http://wiki/page","title":"t","content":[{"type":"text","text":"http://10.0.0.1"}]}]}]}""")]
    public void Read_OfTextThatLooksLikeAnAddress_TakesItForNoMedia(string path, string body)
    {
        var facts = FactsOf(path, body);

        Assert.False(facts.NamesLocalMedia);
        Assert.Equal(0, facts.MediaParts);
    }

    [Theory]
    [InlineData("/v1/score", """{"model":"m","text_1":{"content":[{"type":"image_url","image_url":{"url":"http://10.0.0.1/x"}}]},"text_2":"x"}""")]
    [InlineData("/v1/score", """{"model":"m","data_1":"x","data_2":[{"content":[{"type":"image_url","image_url":{"url":"http://10.0.0.1/x"}}]}]}""")]
    [InlineData("/score", """{"model":"m","queries":{"content":[{"type":"image_url","image_url":{"url":"http://10.0.0.1/x"}}]},"documents":["x"]}""")]
    [InlineData("/v1/rerank", """{"model":"m","query":{"content":[{"type":"image_url","image_url":{"url":"http://10.0.0.1/x"}}]},"documents":["x"]}""")]
    [InlineData("/rerank", """{"model":"m","query":"x","documents":{"content":[{"type":"image_url","image_url":{"url":"http://10.0.0.1/x"}}]}}""")]
    [InlineData("/v1/embeddings", """{"model":"m","input":[{"text":"x","image":"http://10.0.0.1/x"}]}""")]
    [InlineData("/v1/embeddings", """{"model":"m","input":{"text":"x","image":"http://10.0.0.1/x"}}""")]
    [InlineData("/v1/embeddings", """{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://10.0.0.1/x"}}]}]}""")]
    public void Read_OfMediaBesideAConversation_NoticesTheAddress(string path, string body)
    {
        var facts = FactsOf(path, body);

        Assert.True(facts.NamesLocalMedia);
        Assert.Equal(1, facts.MediaParts);
    }

    [Theory]
    [InlineData("""{"type":"image_url","image_url":{"url":"file:///x"}}""", true)]
    [InlineData("""{"type":"image_url","image_url":"http://10.0.0.1/x"}""", true)]
    [InlineData("""{"type":"image","source":{"type":"url","url":"http://10.0.0.1/x"}}""", true)]
    [InlineData("""{"type":"image_url","image_url":{"url":"https://example.com/x"}}""", false)]
    [InlineData("""{"type":"text","text":"file:///x"}""", false)]
    [InlineData("""{"type":"document","source":{"type":"text","media_type":"text/plain","data":"// Copyright 2024 A. Author"}}""", false)]
    [InlineData("""{"type":"document","source":{"type":"text","data":"file:///x"}}""", true)]
    [InlineData("""{"type":"document","source":{"type":"content","content":[{"type":"text","text":"/etc/hosts is read first."}]}}""", false)]
    [InlineData("""{"type":"document","source":{"type":"content","content":"/etc/hosts is read first."}}""", false)]
    [InlineData("""{"type":"document","source":{"type":"content","content":[{"type":"text","text":"x"},{"type":"image","source":{"type":"url","url":"/x.png"}}]}}""", true)]
    [InlineData("""{"type":"file","file":{"filename":"/home/me/report.pdf","file_data":"data:application/pdf;base64,AAAA"}}""", false)]
    [InlineData("""{"type":"file","file":{"title":"../report","file_url":"/x.pdf"}}""", true)]
    [InlineData("""{"type":"image_url","image_url":{"detail":"low","u\u0072l":"/x.png"}}""", true)]
    [InlineData("""{"type":"image_url","image_url":"/x.png"}""", true)]
    [InlineData("""{"type":"image","image":["/x.png"]}""", true)]
    [InlineData("""{"type":"image","image":[{"text":"x"},"/x.png"]}""", true)]
    public void Read_OfAPartWithMedia_NoticesTheAddress(string part, bool isLocal) =>
        Assert.Equal(isLocal, FactsOf(ApiRoute.ChatCompletions.Path, $$"""{"model":"m","messages":[{"role":"user","content":[{{part}}]}]}""").NamesLocalMedia);

    [Fact]
    public void IsLocal_OfALongText_LooksAtItsBeginning()
    {
        Assert.True(MediaAddress.IsLocal(Encoding.UTF8.GetBytes($"\"http://10.0.0.1/{new string('x', 5_000)}\"")));
        Assert.False(MediaAddress.IsLocal(Encoding.UTF8.GetBytes($"\"data:image/png;base64,{new string('A', 500_000)}\"")));
        Assert.True(MediaAddress.IsLocal(Encoding.UTF8.GetBytes($"\"http://10.0.0.1/{string.Concat(Enumerable.Repeat("\\u0041", 500))}\"")));
    }

    private static BodyFacts FactsOf(string path, string body)
    {
        Assert.Null(BodyReader.Read(Encoding.UTF8.GetBytes(body), ApiRoute.All.Single(route => route.Path == path), new PrefixHasher(1), out var facts, out _));
        return facts;
    }
}
