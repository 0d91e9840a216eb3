((w,d,n,l,u)=>{
let me=d.currentScript,url=me.src.replace(/static.tracker.*/,'events/batch?key='+me.dataset.key)
let off=n.doNotTrack==1||w.doNotTrack==1||n.globalPrivacyControl,early=w.takings?.q||[],on=[],t,bad,seen,mem={}
let kv=(k,v)=>{
try{
let area=k=='s'?sessionStorage:localStorage
k='takings_'+k
if(v===u)return JSON.parse(area[k])
area[k]=JSON.stringify(v)
}catch{}
return v===u?mem[k]:mem[k]=v
}
let uuid=()=>'10000000-1000-4000-8000-100000000000'.replace(/[018]/g,c=>(c ^ crypto.getRandomValues(new Uint8Array(1))[0]&15>>c / 4).toString(16))
let all=()=>kv('q')||[]
let rest=()=>all().filter(e=>!on.some(b=>b.event_id==e.event_id))
let body=a=>JSON.stringify(a.map(e=>({...e,sent_at:Date.now()})))
let plan=ms=>t||=setTimeout(send,ms)
let send=()=>{
t=clearTimeout(t)
if(off||on[0]||!(on=all().slice(0,20))[0])return
let b=body(on)
fetch(url,{method:'POST',body:b,keepalive:b.length<2e4,credentials:'omit'}).catch(e=>e).then(({status:c})=>{
off||=c==401||c==403
bad=!(c<500)||c==429
bad||kv('q',rest())
on=[]
all()[0]&&plan(bad?2e4:0)
})
}
let track=(type,more)=>{
if(off)return
let now=Date.now(),s=kv('s')
s=kv('s',[s&&now - s[1]<18e5?s[0]:uuid(),now])
kv('q',[...all(),{
event_type:type,event_id:uuid(),timestamp:now,session_id:s[0],user_id:kv('user')||u,
anonymous_id:kv('id')||kv('id',uuid()),properties:{page:l.pathname+l.search,...more}
}].slice(-100))
plan(50)
}
let view=()=>{
let page=l.pathname+l.search,utm=k=>new URLSearchParams(l.search).get('utm_'+k)||u
page!=seen&&track('page_view',{referrer:!seen&&d.referrer||u,utm_source:utm('source'),utm_campaign:utm('campaign')})
seen=page
}
w.takings=track
track.identify=id=>off||kv('user',id)
for(let k of['pushState','replaceState']){
let was=history[k]
history[k]=(...a)=>{was.apply(history,a);view()}
}
addEventListener('popstate',view)
addEventListener('online',send)
addEventListener('pagehide',()=>{
let a=rest()
if(!off&&!bad&&n.onLine&&(!a[0]||n.sendBeacon(url,body(a))))kv('q',on)
})
view()
for(let call of early)track(...call)
})(window,document,navigator,location)
