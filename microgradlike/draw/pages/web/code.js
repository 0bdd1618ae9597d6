// The page shows its own program.
{
  const own = document.currentScript.textContent;
  find("code").textContent = own.slice(own.indexOf("/* program */") + 14, own.indexOf("/* end */"));
}
